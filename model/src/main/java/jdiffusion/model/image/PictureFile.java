package jdiffusion.model.image;

import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Locale;
import java.util.Set;
import java.util.function.Consumer;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/** Reads the pictures that a user gives: to start from, or as a mask. */
public final class PictureFile {
    /** How far a mask's black and white may be from black and white. */
    private static final int NEAR = 32;
    /** Pixels that are decoded at most; a few kilobytes of a file can claim billions. */
    private static final long MOST_PIXELS = 64_000_000;
    private static final Set<String> FORMATS = Set.of("png", "jpeg", "bmp", "gif", "tif");
    /** TIFF's PhotometricInterpretation: 0 to 3 grey, RGB and palette, 5 CMYK, 6 YCbCr. */
    private static final int LAST_PLAIN_COLOURS = 6;
    private static final int TIFF_MASK = 4;
    private static final int LARGEST_JPEG = 512 << 20;

    private PictureFile() {
    }

    /**
     * The first image of a PNG, JPEG, BMP, GIF or TIFF file, turned as its EXIF orientation asks. The stored values are
     * taken as they are: transparency is dropped, colour profiles are ignored, as Pillow's "RGB" does.
     */
    public static Picture read(Path file) {
        return stored(file).colours();
    }

    /**
     * The same of the bytes of a PNG or JPEG file; texts in it are not looked at, EXIF is.
     *
     * @param name of the picture in messages
     */
    public static Picture read(byte[] bytes, String name) {
        return stored(bytes, name).colours();
    }

    private static StoredValues stored(byte[] bytes, String name) {
        boolean jpeg = JpegSegments.startsWith(bytes, new byte[] {(byte) 0xff, (byte) 0xd8});
        return stored(name, () -> {
            JpegSegments segments = jpeg ? segments(new ByteArrayInputStream(bytes)) : null;
            Exif exif = Exif.of(jpeg ? segments.exif() : PngText.exif(bytes));
            ImageReader reader = ImageIO.getImageReadersByFormatName(jpeg ? "jpeg" : "png").next();
            try (ImageInputStream in = new MemoryCacheImageInputStream(new ByteArrayInputStream(
                    jpeg ? JpegSegments.plain(bytes) : bytes))) {
                reader.setInput(in, true, true);
                return read(name, reader, exif, segments).upright(exif.orientation());
            } finally {
                reader.dispose();
            }
        });
    }

    /**
     * The bytes of a PNG or JPEG file as a mask; see {@link #readMask(Path, Consumer)}.
     *
     * @param name of the mask in messages
     */
    public static Picture readMask(byte[] bytes, String name, Consumer<String> notes) {
        return mask(stored(bytes, name), name, notes);
    }

    /** The same as OpenAI's API means it: what is transparent is drawn anew. One without transparency is as usual. */
    public static Picture readAlphaMask(byte[] bytes, String name) {
        StoredValues stored = stored(bytes, name);
        return stored.alpha() == null ? stored.colours() : stored.alpha().inverted();
    }

    /**
     * The same for a mask. One whose colours select all or nothing, or are those of a picture with a hole in it, and
     * whose transparency does not, selects where it is opaque, as in AUTOMATIC1111's web UI.
     *
     * @param notes told so, since other programs mean the opposite
     */
    public static Picture readMask(Path file, Consumer<String> notes) {
        return mask(stored(file), file.toString(), notes);
    }

    private static Picture mask(StoredValues stored, String file, Consumer<String> notes) {
        boolean colours = selectsSome(stored.colours());
        if (stored.alpha() == null || colours && !hasPicture(stored) || !selectsSome(stored.alpha())) {
            return stored.colours();
        }
        String side = colours ? "a picture's" : stored.colours().luma()[0] >= Picture.WHITE ? "all light" : "all dark";
        notes.accept(file + ": the mask's colours are " + side + ", so its alpha is the mask: what is opaque is"
                + " drawn anew, what is transparent is kept (masks for OpenAI's API mean the opposite; invert the alpha"
                + " of those)");
        return stored.alpha();
    }

    /** Whether some pixels are white enough to be drawn, and some are not. */
    private static boolean selectsSome(Picture mask) {
        int[] luma = mask.luma();
        boolean first = luma[0] >= Picture.WHITE;
        return Arrays.stream(luma).anyMatch(value -> value >= Picture.WHITE != first);
    }

    /** Whether most of what is opaque is neither black nor white. */
    private static boolean hasPicture(StoredValues mask) {
        byte[] alpha = mask.alpha().rgb();
        byte[] rgb = mask.colours().rgb();
        int opaque = 0;
        int shades = 0;
        for (int i = 0; i < rgb.length; i += 3) {
            if ((alpha[i] & 0xff) >= Picture.WHITE) {
                opaque++;
                shades += isNear(rgb, i, 0) || isNear(rgb, i, 0xff) ? 0 : 1;
            }
        }
        return 2 * shades > opaque;
    }

    private static boolean isNear(byte[] rgb, int at, int shade) {
        return Math.abs((rgb[at] & 0xff) - shade) <= NEAR && Math.abs((rgb[at + 1] & 0xff) - shade) <= NEAR
                && Math.abs((rgb[at + 2] & 0xff) - shade) <= NEAR;
    }

    /** Reads a picture. */
    @FunctionalInterface
    private interface Reading {
        StoredValues values() throws IOException;
    }

    private static StoredValues stored(Path file) {
        return stored(file.toString(), () -> {
            Exif exif = Exif.of(file);
            try (ImageInputStream in = ImageIO.createImageInputStream(file.toFile())) {
                ImageReader reader = reader(file, in);
                try {
                    reader.setInput(isFormat(reader, "jpeg") ? plain(file) : in, true, true);
                    checkTiff(reader, exif);
                    return read(file.toString(), reader, exif, isFormat(reader, "jpeg") ? segments(file) : null)
                            .upright(exif.orientation());
                } finally {
                    reader.dispose();
                }
            }
        });
    }

    private static StoredValues stored(String file, Reading reading) {
        try {
            return reading.values();
        } catch (InputException e) {
            throw e.getMessage().startsWith(file) ? e
                    : new InputException(file + ": the picture cannot be used: " + e.getMessage(), e);
        } catch (IOException | RuntimeException e) {
            // ImageIO's readers answer a damaged file with any of a dozen exceptions.
            throw new InputException(file + ": the picture cannot be decoded (" + e.getMessage()
                    + "); is the file damaged or cut off?", e);
        }
    }

    /** TIFF's Lab would arrive as RGB already, converted by half. */
    private static void checkTiff(ImageReader reader, Exif exif) throws IOException {
        long colours = exif.number(Exif.PHOTOMETRIC);
        if (isFormat(reader, "tif") && (colours > LAST_PLAIN_COLOURS || colours == TIFF_MASK)) {
            throw new InputException("its colours are neither grey, RGB nor CMYK; save it as RGB");
        }
    }

    private static boolean isFormat(ImageReader reader, String format) throws IOException {
        return reader.getFormatName().equalsIgnoreCase(format);
    }

    private static ImageInputStream plain(Path jpeg) {
        byte[] bytes = InputFile.bytes(jpeg, LARGEST_JPEG, "a JPEG picture");
        return new MemoryCacheImageInputStream(new ByteArrayInputStream(JpegSegments.plain(bytes)));
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

    /** @param segments of a JPEG file; null for others */
    private static StoredValues read(String file, ImageReader reader, Exif exif, JpegSegments segments)
            throws IOException {
        int width = reader.getWidth(0);
        int height = reader.getHeight(0);
        if ((long) width * height > MOST_PIXELS) {
            throw new InputException(file + ": the picture is " + width + "x" + height + ", more than "
                    + MOST_PIXELS / 1_000_000 + " million pixels; make it smaller");
        }
        String[] warning = new String[1];
        reader.addIIOReadWarningListener((_, message) -> warning[0] = message);
        boolean jpeg = segments != null;
        Raster components = jpeg ? reader.readRaster(0, null) : null;
        BufferedImage image = jpeg ? null : reader.read(0);
        // The JPEG reader only warns when the file ends early, and leaves the rest grey.
        if (warning[0] != null && warning[0].toLowerCase(Locale.ROOT).contains("premature")) {
            throw new InputException(file + ": the picture is cut off; download it again");
        }
        return jpeg ? new StoredValues(JpegColours.of(components, segments), null)
                : StoredValues.of(withMap(image, isFormat(reader, "tif") ? exif.colourMap() : null));
    }

    /** ImageIO rounds TIFF's palettes of 16 bits downwards; here their upper bytes count, as in Pillow. */
    private static BufferedImage withMap(BufferedImage image, byte[] map) {
        if (map == null || !(image.getColorModel() instanceof IndexColorModel palette)
                || map.length != 3 * palette.getMapSize()) {
            return image;
        }
        int size = palette.getMapSize();
        IndexColorModel exact = new IndexColorModel(palette.getPixelSize(), size, map,
                Arrays.copyOfRange(map, size, 2 * size), Arrays.copyOfRange(map, 2 * size, 3 * size));
        return new BufferedImage(exact, image.getRaster(), false, null);
    }

    private static JpegSegments segments(Path file) throws IOException {
        try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
            return segments(in);
        }
    }

    private static JpegSegments segments(InputStream in) throws IOException {
        return JpegSegments.read(new DataInputStream(in));
    }
}
