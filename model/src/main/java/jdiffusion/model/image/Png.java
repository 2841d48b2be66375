package jdiffusion.model.image;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.DeflaterOutputStream;

/**
 * PNG files with texts (ISO/IEC 15948). Written here and not by ImageIO: the bytes depend on the picture and the
 * texts alone, and AWT, which takes longer to start than a small picture takes to draw, is not loaded.
 */
public final class Png {
    private static final int PAETH = 4;
    private static final int RGB = 2;

    /** A picture and the texts that came with it, in their order. */
    public record Content(Picture picture, Map<String, String> texts) {
    }

    private Png() {
    }

    /** Writes a file; {@code texts} go by keyword, in the map's order. */
    public static void write(Picture picture, Map<String, String> texts, Path file) throws IOException {
        Files.write(file, encode(picture, texts));
    }

    /** The bytes of a file; {@code texts} go by keyword (1 to 79 Latin-1 characters), in the map's order. */
    public static byte[] encode(Picture picture, Map<String, String> texts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream(picture.rgb().length / 2 + 1024);
        out.writeBytes(PngText.SIGNATURE);
        chunk(out, "IHDR", ByteBuffer.allocate(13).putInt(picture.width()).putInt(picture.height())
                .put(new byte[] {8, RGB, 0, 0, 0}).array());
        texts.forEach((keyword, text) -> text(out, keyword, text));
        chunk(out, "IDAT", pixels(picture));
        chunk(out, "IEND", new byte[0]);
        return out.toByteArray();
    }

    /** Reads the texts and the pixels, without alpha. */
    public static Content read(Path file) {
        return new Content(PictureFile.read(file), texts(file));
    }

    /** Reads the texts only, by keyword; of several with one keyword the last, as Pillow does. */
    public static Map<String, String> texts(Path file) {
        return texts(PngText.all(file));
    }

    /**
     * The same of a file in memory.
     *
     * @param name of the file in messages
     */
    public static Map<String, String> texts(byte[] bytes, String name) {
        return texts(PngText.all(bytes, name));
    }

    private static Map<String, String> texts(List<PngText> all) {
        Map<String, String> texts = new LinkedHashMap<>();
        all.forEach(text -> texts.put(text.keyword(), text.text()));
        return texts;
    }

    private static void text(ByteArrayOutputStream out, String keyword, String text) {
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        data.writeBytes(keyword.getBytes(StandardCharsets.ISO_8859_1));
        data.write(0);
        byte[] latin = text.getBytes(StandardCharsets.ISO_8859_1);
        if (PngText.decode(latin).equals(text)) {
            data.writeBytes(latin);
            chunk(out, "tEXt", data.toByteArray());
        } else {
            data.writeBytes(new byte[4]); // not compressed, no language, no translated keyword
            data.writeBytes(text.getBytes(StandardCharsets.UTF_8));
            chunk(out, "iTXt", data.toByteArray());
        }
    }

    /** The rows, each after Paeth's prediction from its neighbours, deflated. */
    private static byte[] pixels(Picture picture) {
        int stride = 3 * picture.width();
        byte[] rgb = picture.rgb();
        byte[] row = new byte[stride + 1];
        row[0] = PAETH;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(rgb.length / 2);
        try (DeflaterOutputStream deflater = new DeflaterOutputStream(bytes)) {
            for (int y = 0; y < picture.height(); y++) {
                int at = y * stride;
                for (int i = 0; i < stride; i++) {
                    int left = i < 3 ? 0 : rgb[at + i - 3] & 0xff;
                    int up = y == 0 ? 0 : rgb[at + i - stride] & 0xff;
                    int corner = y == 0 || i < 3 ? 0 : rgb[at + i - stride - 3] & 0xff;
                    row[i + 1] = (byte) (rgb[at + i] - paeth(left, up, corner));
                }
                deflater.write(row);
            }
        } catch (IOException e) {
            throw new IllegalStateException(e); // memory does not fail
        }
        return bytes.toByteArray();
    }

    private static int paeth(int left, int up, int corner) {
        int dl = Math.abs(up - corner);
        int du = Math.abs(left - corner);
        int dc = Math.abs(left + up - 2 * corner);
        return dl <= du && dl <= dc ? left : du <= dc ? up : corner;
    }

    private static void chunk(ByteArrayOutputStream out, String type, byte[] data) {
        out.writeBytes(ByteBuffer.allocate(4).putInt(data.length).array());
        out.writeBytes(type.getBytes(StandardCharsets.ISO_8859_1));
        out.writeBytes(data);
        out.writeBytes(ByteBuffer.allocate(4).putInt(PngText.checksum(type, data)).array());
    }
}
