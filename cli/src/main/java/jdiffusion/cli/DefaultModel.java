package jdiffusion.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import jdiffusion.tensor.InputException;

/** Where the model is that comes with the program. */
final class DefaultModel {
    private static final Path PLACE = Path.of("models", "shapes");

    private DefaultModel() {
    }

    /** {@code models/shapes} beside the launcher (property jdiffusion.home), or else above the working folder. */
    static Path find() {
        String home = System.getProperty("jdiffusion.home");
        if (home != null) {
            return Path.of(home).resolve(PLACE);
        }
        Path start = Path.of("").toAbsolutePath();
        for (Path folder = start; folder != null; folder = folder.getParent()) {
            if (Files.isDirectory(folder.resolve(PLACE))) {
                return folder.resolve(PLACE);
            }
        }
        throw new InputException("no model is given, and no " + PLACE + " is in or above " + start
                + "; name one with --model");
    }
}
