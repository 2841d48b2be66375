package jdiffusion.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.SchedulerGiven;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SamplerSettings;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.tensor.InputException;
import picocli.CommandLine.Option;

/** The options that decide on steps, sampler and noise levels; null where the user says nothing. */
final class SamplingOptions {
    @Option(names = "--steps", paramLabel = "N", description = "Steps from noise to picture.")
    Integer steps;

    @Option(names = "--sampling-method", paramLabel = "NAME", completionCandidates = Choices.Samplers.class,
            description = "One of ${COMPLETION-CANDIDATES}.")
    String samplingMethod;

    @Option(names = "--eta", paramLabel = "X",
            description = "How much noise the sampler draws: 0 for none; usually 1, and 0 for ddim.")
    Double eta;

    @Option(names = "--scheduler", paramLabel = "NAME", completionCandidates = Choices.Schedules.class,
            description = "Spacing of the noise levels: ${COMPLETION-CANDIDATES}.")
    String scheduler;

    @Option(names = "--sigmas", paramLabel = "X,X,...",
            description = "The noise levels by hand, falling, such as 14.6,7,2.5,0: one step from each to the next.")
    String sigmas;

    @Option(names = "--flow-shift", paramLabel = "X", description = "Timestep shift (3 for SD3.5).")
    Float flowShift;

    /** Whether the sampler of a picture's text is the model's own, with what its file says beside the name. */
    boolean ofModel;

    /** Fails when options that the user gives contradict each other. */
    void check() {
        String other = steps != null ? "--steps " + steps : scheduler != null ? "--scheduler " + scheduler
                : flowShift != null ? "--flow-shift " + flowShift : null;
        if (sigmas != null && other != null) {
            throw new InputException("--sigmas gives every noise level, on which " + other
                    + " does not act; leave one of the two options out");
        }
    }

    /** The model; its scheduler's file may be damaged where these options say all that it would. */
    ModelFiles of(ModelFiles files) {
        boolean levels = sigmas != null || scheduler != null
                && (flowShift != null || !files.architecture().scheduler().prediction().isFlow());
        return samplingMethod != null && levels ? new SchedulerGiven(files) : files;
    }

    void applyTo(GenerationRequest defaults, GenerationRequest.Builder request) {
        if (steps != null) {
            request.steps(steps);
        }
        SamplerSettings sampler = defaults.sampler();
        if (samplingMethod != null) {
            Sampler.Kind kind = Sampler.Kind.of(samplingMethod);
            sampler = ofModel && sampler.kind() == kind ? sampler : kind.settings();
        }
        request.sampler(eta == null ? sampler : sampler.withEta(eta));
        if (scheduler != null) {
            request.schedule(SigmaSchedule.of(scheduler));
        }
        if (flowShift != null) {
            if (!Float.isFinite(flowShift)) {
                throw new InputException("--flow-shift is " + flowShift + "; a number is needed");
            }
            request.shift(flowShift);
        }
        if (sigmas != null) {
            request.sigmas(levels(sigmas));
        }
    }

    /** Numbers between commas or blanks, in brackets or not; a last 0 is left out, as the request has it. */
    private static List<Float> levels(String text) {
        List<Float> levels = new ArrayList<>();
        for (String part : Arrays.asList(text.replaceAll("[\\[\\]]", "").strip().split("\\s*,\\s*|\\s+"))) {
            try {
                levels.add(Float.valueOf(part));
            } catch (NumberFormatException e) {
                throw new InputException("--sigmas: '" + InputException.shown(part)
                        + "' is no noise level; give numbers like 14.6,7,2.5,0", e);
            }
        }
        if (levels.size() > 1 && levels.getLast() == 0) {
            levels.removeLast();
        }
        return levels;
    }
}
