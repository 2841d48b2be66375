package jdiffusion.model.tokenizer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import jdiffusion.tensor.InputException;

/** Small files read whole, with a bound on what one file can make us hold. */
final class InputFile {
    /** Published vocabularies stay under 4 MiB. */
    static final int VOCABULARY_LIMIT = 16 << 20;
    static final int SETTINGS_LIMIT = 4 << 20;

    private InputFile() {
    }

    /** All bytes of a regular file of at most {@code limit} bytes. */
    static byte[] read(Path file, int limit) {
        if (Files.exists(file) && !Files.isRegularFile(file)) {
            throw new InputException(file + " is not a regular file");
        }
        try (var in = Files.newInputStream(file)) {
            var bytes = in.readNBytes(limit + 1);
            if (bytes.length > limit) {
                throw new InputException(file + " is larger than " + limit + " bytes; no tokenizer file should be");
            }
            return bytes;
        } catch (NoSuchFileException e) {
            throw new InputException(file + " is missing", e);
        } catch (IOException e) {
            throw new InputException(file + " cannot be read: " + e, e);
        }
    }
}
