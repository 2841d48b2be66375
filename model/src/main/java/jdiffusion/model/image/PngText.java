package jdiffusion.model.image;

import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32;
import java.util.zip.InflaterInputStream;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/**
 * One text of a PNG file (its chunks tEXt, zTXt and iTXt).
 *
 * <p>Latin-1 is what the format prescribes for tEXt and zTXt, and UTF-8 what many programs write there. Bytes that are
 * valid UTF-8 are hardly ever meant as anything else, so they are read as that.
 */
public record PngText(String keyword, String text) {
    static final byte[] SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    private static final int LARGEST_TEXT = 4 << 20;
    private static final int LARGEST_SUM = 32 << 20;
    private static final int MOST_TEXTS = 256;
    private static final Set<String> TYPES = Set.of("tEXt", "zTXt", "iTXt");
    private static final String EXIF = "eXIf";

    /** All texts in the file's order, also those behind the pixels. */
    public static List<PngText> all(Path file) {
        try {
            return all(file.toString(), taker -> walk(file, TYPES, taker));
        } catch (IOException e) {
            throw InputFile.unreadable(file, e);
        }
    }

    /**
     * The same of a file in memory.
     *
     * @param name of the file in messages
     */
    static List<PngText> all(byte[] bytes, String name) {
        try {
            return all(name, taker -> walk(name, new DataInputStream(new ByteArrayInputStream(bytes)), bytes.length,
                    TYPES, taker));
        } catch (IOException e) {
            throw new IllegalStateException(e); // memory does not fail
        }
    }

    /** Walks over a file's chunks. */
    @FunctionalInterface
    private interface Walking {
        void walk(Taker taker) throws IOException;
    }

    private static List<PngText> all(String file, Walking walking) throws IOException {
        List<PngText> texts = new ArrayList<>();
        try {
            walking.walk((type, data) -> add(file, type, data, texts));
        } catch (EOFException e) {
            throw new InputException(file + ": the PNG file is cut off; download or draw it again", e);
        }
        return texts;
    }

    /** The block in the first eXIf chunk; null without. */
    static byte[] exif(Path file) throws IOException {
        Map<String, byte[]> found = new HashMap<>();
        try {
            walk(file, Set.of(EXIF), found::putIfAbsent);
        } catch (EOFException _) {
            // Whether the pixels are there is the decoder's to say.
        }
        return found.get(EXIF);
    }

    /** The same of a file in memory. */
    static byte[] exif(byte[] file) {
        ByteBuffer in = ByteBuffer.wrap(file);
        in.position(Math.min(SIGNATURE.length, file.length));
        while (in.remaining() >= Integer.BYTES + 4) {
            int length = in.getInt();
            byte[] type = new byte[4];
            in.get(type);
            if (length < 0 || length > in.remaining() - Integer.BYTES) {
                return null;
            }
            if (new String(type, StandardCharsets.ISO_8859_1).equals(EXIF)) {
                return Arrays.copyOfRange(file, in.position(), in.position() + length);
            }
            in.position(in.position() + length + Integer.BYTES);
        }
        return null;
    }

    /** What takes a chunk. */
    @FunctionalInterface
    private interface Taker {
        void take(String type, byte[] data);
    }

    private static void walk(Path file, Set<String> types, Taker taker) throws IOException {
        // Chunks are walked by position, so pixels are never read.
        try (FileChannel channel = InputFile.open(file);
                DataInputStream in = new DataInputStream(Channels.newInputStream(channel))) {
            walk(file.toString(), in, channel.size(), types, taker);
        }
    }

    /** @param size bytes of the whole file */
    private static void walk(String file, DataInputStream in, long size, Set<String> types, Taker taker)
            throws IOException {
        if (!Arrays.equals(in.readNBytes(SIGNATURE.length), SIGNATURE)) {
            throw new InputException(file + ": is not a PNG file");
        }
        long left = size - SIGNATURE.length;
        String type = "";
        while (!type.equals("IEND")) {
            int length = in.readInt();
            type = new String(in.readNBytes(4), StandardCharsets.ISO_8859_1);
            left -= Integer.BYTES + 4;
            if (length < 0 || length > left - Integer.BYTES) {
                throw new EOFException();
            }
            left -= length + Integer.BYTES;
            if (!types.contains(type)) {
                in.skipNBytes(length + (long) Integer.BYTES);
                continue;
            }
            if (length > LARGEST_TEXT) {
                throw tooMuch(file);
            }
            byte[] data = new byte[length];
            in.readFully(data);
            if (in.readInt() != checksum(type, data)) {
                throw new InputException(file + ": " + (type.equals(EXIF) ? "the EXIF block" : "a text")
                        + " in the PNG file is damaged (its checksum is wrong)");
            }
            taker.take(type, data);
        }
    }

    private static InputException tooMuch(String file) {
        return new InputException(file + ": holds more text than a picture's settings can be (at most " + MOST_TEXTS
                + " of " + LARGEST_TEXT + " bytes, and " + LARGEST_SUM + " together)");
    }

    /** Adds one text chunk; one that is no valid text is left out, as all PNG readers do. */
    private static void add(String file, String type, byte[] data, List<PngText> texts) {
        int end = zero(data, 0);
        if (end < 1) {
            return;
        }
        boolean compressed = type.equals("zTXt");
        int start = end + 1;
        if (compressed) {
            start++; // compression method
        } else if (type.equals("iTXt")) {
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
        long left = LARGEST_SUM;
        for (PngText text : texts) {
            left -= text.text.length();
        }
        byte[] bytes = Arrays.copyOfRange(data, start, data.length);
        if (compressed) {
            try (InflaterInputStream in = new InflaterInputStream(new ByteArrayInputStream(bytes))) {
                bytes = in.readNBytes(LARGEST_TEXT + 1);
            } catch (IOException _) {
                return;
            }
        }
        if (bytes.length > Math.min(left, LARGEST_TEXT) || texts.size() == MOST_TEXTS) {
            throw tooMuch(file);
        }
        texts.add(new PngText(new String(data, 0, end, StandardCharsets.ISO_8859_1), decode(bytes)));
    }

    /** The bytes as UTF-8 where they are that, else as Latin-1. */
    static String decode(byte[] bytes) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException _) {
            return new String(bytes, StandardCharsets.ISO_8859_1);
        }
    }

    private static int zero(byte[] data, int from) {
        for (int i = from; i < data.length; i++) {
            if (data[i] == 0) {
                return i;
            }
        }
        return -1;
    }

    static int checksum(String type, byte[] data) {
        CRC32 crc = new CRC32();
        crc.update(type.getBytes(StandardCharsets.ISO_8859_1));
        crc.update(data);
        return (int) crc.getValue();
    }
}
