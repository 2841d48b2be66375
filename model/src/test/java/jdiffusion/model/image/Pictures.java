package jdiffusion.model.image;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.CRC32;

/** The small picture files among the tests, and chunks and blocks to put into others. */
public final class Pictures {
    private Pictures() {
    }

    /** A file under {@code pictures}. */
    public static Path file(String name) {
        try {
            return Path.of(Pictures.class.getResource("/pictures/" + name).toURI());
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException(name, e);
        }
    }

    /** Names of the files in a folder under {@code pictures}, sorted. */
    static List<String> names(String folder) throws IOException {
        try (Stream<Path> files = Files.list(file(folder))) {
            return files.map(file -> folder + "/" + file.getFileName()).sorted().toList();
        }
    }

    /** A PNG file with one more chunk, before its last one or after its first. */
    public static byte[] withChunk(byte[] png, String type, byte[] data, boolean atEnd) {
        int at = atEnd ? png.length - 12 : 8 + 25;
        CRC32 crc = new CRC32();
        crc.update(type.getBytes(StandardCharsets.ISO_8859_1));
        crc.update(data);
        return ByteBuffer.allocate(png.length + 12 + data.length).put(png, 0, at).putInt(data.length)
                .put(type.getBytes(StandardCharsets.ISO_8859_1)).put(data).putInt((int) crc.getValue())
                .put(png, at, png.length - at).array();
    }

    /** A JPEG file with an EXIF segment before all others. */
    public static byte[] withExif(byte[] jpeg, byte[] block) {
        return ByteBuffer.allocate(jpeg.length + 10 + block.length).put(jpeg, 0, 2).putShort((short) 0xffe1)
                .putShort((short) (block.length + 8)).put("Exif\0\0".getBytes(StandardCharsets.ISO_8859_1)).put(block)
                .put(jpeg, 2, jpeg.length - 2).array();
    }

    /** A WebP file that holds an EXIF block, and no picture. */
    public static byte[] webp(byte[] block) {
        return ByteBuffer.allocate(30 + block.length).order(ByteOrder.LITTLE_ENDIAN)
                .put("RIFF".getBytes(StandardCharsets.ISO_8859_1)).putInt(22 + block.length)
                .put("WEBPVP8 ".getBytes(StandardCharsets.ISO_8859_1)).putInt(1).putShort((short) 0)
                .put("EXIF".getBytes(StandardCharsets.ISO_8859_1)).putInt(block.length).put(block).array();
    }

    /** A block with an orientation. */
    static ByteBuffer oriented(ByteOrder order, int orientation) {
        return ByteBuffer.allocate(26).order(order).put(order == ByteOrder.BIG_ENDIAN ? new byte[] {'M', 'M'}
                : new byte[] {'I', 'I'}).putShort((short) 42).putInt(8).putShort((short) 1).putShort((short) 0x112)
                .putShort((short) 3).putInt(1).putShort((short) orientation).putShort((short) 0).putInt(0);
    }

    /** A block with a user's comment behind a second directory, all of its bytes as they are given. */
    public static byte[] commented(ByteOrder order, byte[] comment) {
        return ByteBuffer.allocate(44 + comment.length).order(order).put(order == ByteOrder.BIG_ENDIAN
                ? new byte[] {'M', 'M'} : new byte[] {'I', 'I'}).putShort((short) 42).putInt(8).putShort((short) 1)
                .putShort((short) 0x8769).putShort((short) 4).putInt(1).putInt(26).putInt(0)
                .putShort((short) 1).putShort((short) 0x9286).putShort((short) 7).putInt(comment.length).putInt(44)
                .putInt(0).put(comment).array();
    }
}
