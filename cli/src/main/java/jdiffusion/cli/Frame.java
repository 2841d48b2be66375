package jdiffusion.cli;

import java.nio.file.Path;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;

/**
 * A picture that came in, not decoded yet.
 *
 * @param number  from 1, counting those that came before it
 * @param file    where it lies; null when it came through a pipe
 * @param bytes   of a PNG or JPEG file; null for what else lies in a file
 * @param arrived when it was there as a whole, by {@link System#nanoTime}
 */
record Frame(long number, Path file, byte[] bytes, long arrived) {
    /** Fails when it is damaged. */
    Picture picture() {
        return bytes == null ? PictureFile.read(file)
                : PictureFile.read(bytes, file == null ? "frame " + number : file.toString());
    }
}
