package jdiffusion.cli;

import java.util.function.Consumer;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Hires;
import jdiffusion.model.request.HiresChoices;
import jdiffusion.tensor.InputException;
import picocli.CommandLine.Option;

/** A second pass at a larger size; null where the user says nothing. */
final class HiresOptions {
    @Option(names = "--hires", paramLabel = "FACTOR|WxH",
            description = "Draw over the picture at a size larger by a factor, such as 1.5, or at a width and height.")
    String hires;

    @Option(names = "--hires-strength", paramLabel = "SHARE",
            description = "How much the second pass changes, above 0 up to 1. Default: 0.5.")
    Double strength;

    @Option(names = "--hires-steps", paramLabel = "N",
            description = "Steps of its schedule, of which it runs that share. Default: as --steps.")
    Integer steps;

    @Option(names = "--hires-upscaler", paramLabel = "NAME", completionCandidates = Choices.Upscalers.class,
            description = "What is enlarged: ${COMPLETION-CANDIDATES} (bilinear, or the decoded picture). Default:"
                + " lanczos.")
    String upscaler;

    private final HiresChoices found = new HiresChoices();

    /** Fails when options that the user gives contradict each other. */
    void check() {
        if (hires == null && (strength != null || steps != null || upscaler != null)) {
            throw new InputException("--hires-strength, --hires-steps and --hires-upscaler are of a second pass; give"
                    + " its size with --hires");
        }
        if (steps != null && steps < 1) {
            throw new InputException("--hires-steps is " + steps + "; use 1 or more");
        }
    }

    /** Takes from a picture's settings what is left open. */
    void fill(HiresChoices settings) {
        found.or(settings);
    }

    /**
     * The request with the second pass.
     *
     * @param multiple of which the model draws sizes
     */
    GenerationRequest addTo(GenerationRequest request, int multiple, Consumer<String> notes) {
        HiresChoices choices = new HiresChoices();
        if (hires != null) {
            choices.larger(hires, "--hires");
        }
        choices.strength = strength;
        choices.steps = steps;
        choices.upscaler = upscaler == null ? null : Hires.Upscaler.of(upscaler);
        choices.or(found);
        return choices.addTo(request, multiple, false, notes);
    }
}
