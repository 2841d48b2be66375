package jdiffusion.model.image;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.InflaterInputStream;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/**
 * PNG files with texts (ISO/IEC 15948). Written here and not by ImageIO: the bytes depend on the picture and the
 * texts alone, and AWT, which takes longer to start than a small picture takes to draw, is not loaded.
 */
public final class Png {
    private static final byte[] SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    private static final int PAETH = 4;
    private static final int RGB = 2;
    private static final int LARGEST_TEXT = 4 << 20;
    private static final int MOST_TEXTS = 256;

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
        out.writeBytes(SIGNATURE);
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

    /** Reads the texts only. */
    public static Map<String, String> texts(Path file) {
        try (FileChannel channel = InputFile.open(file)) {
            // Chunks are walked by position, so pixels are never read.
            return texts(file, channel);
        } catch (EOFException e) {
            throw new InputException(file + ": the PNG file is cut off; download or draw it again", e);
        } catch (IOException e) {
            throw InputFile.unreadable(file, e);
        }
    }

    private static Map<String, String> texts(Path file, FileChannel channel) throws IOException {
        // Not closed: it would close the caller's channel.
        DataInputStream in = new DataInputStream(Channels.newInputStream(channel));
        if (!Arrays.equals(in.readNBytes(SIGNATURE.length), SIGNATURE)) {
            throw new InputException(file + ": is not a PNG file");
        }
        Map<String, String> texts = new LinkedHashMap<>();
        while (true) {
            int length = in.readInt();
            String type = new String(in.readNBytes(4), StandardCharsets.ISO_8859_1);
            if (length < 0 || length > channel.size() - channel.position() - 4) {
                throw new EOFException();
            }
            if (type.equals("IEND")) {
                return texts;
            }
            boolean isText = type.equals("tEXt") || type.equals("iTXt") || type.equals("zTXt");
            if (!isText) {
                channel.position(channel.position() + length + 4);
                continue;
            }
            if (length > LARGEST_TEXT || texts.size() == MOST_TEXTS) {
                throw new InputException(file + ": holds more text than a picture's settings can be (at most "
                        + MOST_TEXTS + " of " + LARGEST_TEXT + " bytes)");
            }
            byte[] data = in.readNBytes(length);
            if (data.length < length) {
                throw new EOFException();
            }
            if (in.readInt() != checksum(type, data)) {
                throw new InputException(file + ": a text in the PNG file is damaged (its checksum is wrong)");
            }
            readText(type, data, texts);
        }
    }

    /** Adds one text chunk; one that is no valid text is left out, as all PNG readers do. */
    private static void readText(String type, byte[] data, Map<String, String> texts) {
        int end = zero(data, 0);
        if (end < 1) {
            return;
        }
        String keyword = new String(data, 0, end, StandardCharsets.ISO_8859_1);
        boolean international = type.equals("iTXt");
        boolean compressed = type.equals("zTXt");
        Charset charset = international ? StandardCharsets.UTF_8 : StandardCharsets.ISO_8859_1;
        int start = end + 1;
        if (compressed) {
            start++; // compression method
        } else if (international) {
            compressed = data.length > start && data[start] == 1;
            int language = zero(data, Math.min(start + 2, data.length));
            int translation = language < 0 ? -1 : zero(data, language + 1);
            if (translation < 0) {
                return;
            }
            start = translation + 1;
        }
        if (start > data.length) {
            return;
        }
        byte[] text = Arrays.copyOfRange(data, start, data.length);
        if (compressed) {
            try (InputStream inflater = new InflaterInputStream(new ByteArrayInputStream(text))) {
                text = inflater.readNBytes(LARGEST_TEXT);
            } catch (IOException _) {
                return;
            }
        }
        texts.put(keyword, new String(text, charset));
    }

    private static int zero(byte[] data, int from) {
        for (int i = from; i < data.length; i++) {
            if (data[i] == 0) {
                return i;
            }
        }
        return -1;
    }

    private static void text(ByteArrayOutputStream out, String keyword, String text) {
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        data.writeBytes(keyword.getBytes(StandardCharsets.ISO_8859_1));
        data.write(0);
        if (text.chars().allMatch(c -> c < 256)) {
            data.writeBytes(text.getBytes(StandardCharsets.ISO_8859_1));
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
        out.writeBytes(ByteBuffer.allocate(4).putInt(checksum(type, data)).array());
    }

    private static int checksum(String type, byte[] data) {
        CRC32 crc = new CRC32();
        crc.update(type.getBytes(StandardCharsets.ISO_8859_1));
        crc.update(data);
        return (int) crc.getValue();
    }
}
