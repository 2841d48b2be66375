package jdiffusion.cli;

import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.families.Families;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.pipeline.RefinedPipeline;
import jdiffusion.model.request.PictureText;
import jdiffusion.tensor.InputException;
import picocli.CommandLine.Option;

/** A second model that goes on where the first one stops. */
final class RefinerOptions {
    private static final String NAME = "Refiner";
    private static final String START = "Refiner switch at";

    @Option(names = "--refiner", paramLabel = "PATH",
            description = "SDXL's refiner, which draws the last steps: its folder or file.")
    Path refiner;

    @Option(names = "--refiner-start", paramLabel = "SHARE",
            description = "Where it goes on, as a share of the training's times. Default: 0.8.")
    Double refinerStart;

    void check() {
        if (refiner == null && refinerStart != null) {
            throw new InputException("--refiner-start is given, but no refiner; give its folder or file with"
                    + " --refiner");
        }
    }

    /** Both models; null without a refiner. */
    RefinedPipeline open(Pipeline base, ModelOptions model, AdapterOptions adapters, Consumer<String> notes) {
        if (refiner == null) {
            return null;
        }
        ModelSources beside = new ModelSources(Map.of(), Set.of(), model.tokenizer, null, model.elsewhere());
        ModelFiles files = adapters.embedded(Families.open(refiner, beside));
        files.notes().forEach(notes);
        return new RefinedPipeline(base, base.beside(files), start());
    }

    private double start() {
        return refinerStart == null ? RefinedPipeline.USUAL_START : refinerStart;
    }

    private String name() {
        Path name = refiner.toAbsolutePath().normalize().getFileName();
        return name == null ? "model" : name.toString();
    }

    void describe(Map<String, String> fields) {
        if (refiner != null) {
            fields.put(NAME, name());
            fields.put(START, PictureText.number(start()));
        }
    }

    String inWords() {
        return refiner == null ? "" : ", refiner " + name() + " from " + start();
    }

    /** Out of a picture's text; a refiner is named there, but where it lies only the user knows. */
    void fill(UnaryOperator<String> take, String file) {
        String name = take.apply(NAME);
        String start = take.apply(START);
        if (name == null) {
            return;
        }
        if (refiner == null) {
            throw new InputException(file + ": was drawn with the refiner '" + InputException.shown(name)
                    + "'; give it with --refiner");
        }
        if (refinerStart == null && start != null) {
            try {
                refinerStart = Double.valueOf(start);
            } catch (NumberFormatException e) {
                throw new InputException(file + ": the picture's '" + START + "' is '" + InputException.shown(start)
                        + "', not a number", e);
            }
        }
    }
}
