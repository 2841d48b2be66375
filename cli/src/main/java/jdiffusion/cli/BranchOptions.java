package jdiffusion.cli;

import java.nio.file.Path;
import java.util.Map;
import java.util.function.Consumer;
import jdiffusion.model.experiment.SavedStepsFile;
import jdiffusion.model.family.BranchPoint;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.SavedSteps;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.request.TakenSettings;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.OutputFile;
import picocli.CommandLine.Option;

/** Steps that are kept, so that other runs can leave this one on the way. */
final class BranchOptions {
    private static final String AT = "Branch after step";
    private static final String FROM = "Branch from";

    @Option(names = "--keep-steps", paramLabel = "FILE",
            description = "Keep what the network predicts in each step in FILE.safetensors, for --branch.")
    Path keep;

    @Option(names = "--branch", paramLabel = "FILE",
            description = "Take the first steps from a file of --keep-steps, without the network: prompt, guidance and"
                + " the like act on the others alone. Seed, size, sampler and noise levels must be that run's.")
    Path branch;

    @Option(names = "--branch-at", paramLabel = "N", description = "How many steps are taken.")
    Integer at;

    /** Fails when one of them has no meaning. */
    void check(int pictures, RefinerOptions refining) {
        if ((branch == null) != (at == null)) {
            throw new InputException("--branch and --branch-at belong together: the file, and how many of its steps are"
                    + " taken");
        }
        if (keep == null) {
            return;
        }
        SavedStepsFile.check(keep);
        OutputFile.checkFile(keep);
        if (pictures > 1) {
            throw new InputException("--keep-steps keeps the steps of one picture, but " + pictures
                    + " are to be drawn; use -b 1");
        }
        if (refining.refiner != null) {
            throw new InputException("--keep-steps keeps the steps of one model; leave --refiner out");
        }
    }

    GenerationRequest addTo(GenerationRequest request) {
        if (keep != null && request.hires() != null) {
            throw new InputException("--keep-steps keeps the steps of one pass; leave --hires out");
        }
        return branch == null ? request : request.toBuilder().methods(request.methods().withBranch(
                new BranchPoint(SavedStepsFile.read(branch), at))).build();
    }

    /** Follows the run; null where nothing is kept. */
    SavedSteps.Keeper keeper() {
        return keep == null ? null : new SavedSteps.Keeper();
    }

    /** Writes what was kept, and says so. */
    void write(SavedSteps.Keeper keeper, Pipeline pipeline, GenerationRequest request, Consumer<String> lines) {
        if (keeper != null) {
            SavedStepsFile.write(keep, keeper.saved(request.sampler(), pipeline.sigmas(request),
                    pipeline.firstEvaluation(request)));
            lines.accept("wrote " + keep + ", the steps for --branch");
        }
    }

    /** For the picture's text. */
    void describe(Map<String, String> fields) {
        if (branch != null) {
            fields.put(FROM, branch.getFileName().toString());
            fields.put(AT, String.valueOf(at));
        }
    }

    String inWords() {
        return branch == null ? "" : ", the first " + (at == 1 ? "step" : at + " steps") + " from " + branch;
    }

    /** Out of a picture's text; the file of steps is named there, but where it lies only the user knows. */
    void fill(TakenSettings taken, Path picture) {
        String name = taken.take(FROM);
        Integer steps = taken.integer(AT);
        if (name != null && branch == null) {
            throw new InputException(picture + ": its first steps were taken from '" + InputException.shown(name)
                    + "'; give that file with --branch");
        }
        at = at == null && name != null ? steps : at;
    }
}
