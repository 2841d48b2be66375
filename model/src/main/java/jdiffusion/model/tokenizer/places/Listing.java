package jdiffusion.model.tokenizer.places;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** What is in folders that belong to others: a folder that cannot be read has nothing in it. */
final class Listing {
    private Listing() {
    }

    /** The folders in a folder, sorted by name; of more entries than {@code most} the rest is not looked at. */
    static List<Path> folders(Path folder, int most) {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
            int seen = 0;
            for (Path entry : entries) {
                if (++seen > most) {
                    break;
                }
                if (Files.isDirectory(entry)) {
                    found.add(entry);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            // No access, or no folder: there is nothing to be had.
            return found;
        }
        found.sort(null);
        return found;
    }
}
