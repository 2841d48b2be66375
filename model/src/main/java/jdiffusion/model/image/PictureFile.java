package jdiffusion.model.image;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Locale;
import java.util.Set;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/** Reads the pictures that a user gives: to start from, or as a mask. */
public final class PictureFile {
    /** Pixels that are decoded at most; a few kilobytes of a file can claim billions. */
    private static final long MOST_PIXELS = 64_000_000;
    private static final Set<String> FORMATS = Set.of("png", "jpeg", "bmp", "gif", "tif");

    private PictureFile() {
    }

    /** The first image of a PNG, JPEG, BMP, GIF or TIFF file; transparency is dropped, as Pillow's "RGB" does. */
    public static Picture read(Path file) {
        try {
            InputFile.open(file).close();
            try (ImageInputStream in = ImageIO.createImageInputStream(file.toFile())) {
                ImageReader reader = reader(file, in);
                try {
                    reader.setInput(in, true, true);
                    return read(file, reader);
                } finally {
                    reader.dispose();
                }
            }
        } catch (InputException e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            // ImageIO's readers answer a damaged file with any of a dozen exceptions.
            throw new InputException(file + ": the picture cannot be decoded (" + e.getMessage()
                    + "); is the file damaged or cut off?", e);
        }
    }

    private static ImageReader reader(Path file, ImageInputStream in) throws IOException {
        Iterator<ImageReader> readers = in == null ? null : ImageIO.getImageReaders(in);
        while (readers != null && readers.hasNext()) {
            ImageReader reader = readers.next();
            if (FORMATS.contains(reader.getFormatName().toLowerCase(Locale.ROOT))) {
                return reader;
            }
        }
        throw new InputException(file + ": is not a picture that can be read; use PNG, JPEG, BMP, GIF or TIFF");
    }

    private static Picture read(Path file, ImageReader reader) throws IOException {
        int width = reader.getWidth(0);
        int height = reader.getHeight(0);
        if ((long) width * height > MOST_PIXELS) {
            throw new InputException(file + ": the picture is " + width + "x" + height + ", more than "
                    + MOST_PIXELS / 1_000_000 + " million pixels; make it smaller");
        }
        String[] warning = new String[1];
        reader.addIIOReadWarningListener((_, message) -> warning[0] = message);
        BufferedImage image = reader.read(0);
        // The JPEG reader only warns when the file ends early, and leaves the rest grey.
        if (warning[0] != null && warning[0].toLowerCase(Locale.ROOT).contains("premature")) {
            throw new InputException(file + ": the picture is cut off; download it again");
        }
        return Picture.of(image);
    }
}
