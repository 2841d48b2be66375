package jdiffusion.model.tokenizer;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/** Finds the reference data beside the checkout; tests that need it are skipped where there is none. */
final class SharedReference {
    private SharedReference() {
    }

    /** The folder that holds {@code reference} and {@code models}. */
    static Path folder() {
        var named = System.getenv("JDIFFUSION_SHARED");
        if (named != null) {
            return Path.of(named);
        }
        for (var at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
            if (Files.isDirectory(at.resolve("shared/reference"))) {
                return at.resolve("shared");
            }
        }
        return Assumptions.abort("no shared/reference beside the checkout and JDIFFUSION_SHARED is not set");
    }
}
