package jdiffusion.model.image;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.Consumer;

/**
 * Parts a stream into the PNG and JPEG files that follow each other in it, as {@code ffmpeg -f image2pipe} writes them.
 * What stands between two files, such as the headers of a multipart stream, is passed over; so is a file that breaks
 * off, and reading goes on with the next one. Where a file ends is found by its own structure, not by the beginning of
 * the next: a picture is there as soon as its last byte is.
 */
public final class PictureSplitter {
    /** Bytes of a picture's file at most. */
    public static final int LONGEST = 256 << 20;
    private static final int BUFFER = 1 << 16;
    private static final int END = -1;
    private static final int SOI = 0xd8;
    private static final int EOI = 0xd9;
    private static final int SCAN = 0xda;
    private static final int TEMPORARY = 0x01;
    private static final int FIRST_RESTART = 0xd0;
    private static final int CHUNK_FRAME = 12;
    private static final int CHUNK_HEAD = 8;

    private final InputStream in;
    private final Consumer<String> broken;
    private byte[] buffer = new byte[BUFFER];
    private int at;
    private int limit;
    /** The file so far. */
    private ByteArrayOutputStream file = new ByteArrayOutputStream(BUFFER);

    /** A file that breaks off. */
    private static final class BrokenFile extends Exception {
        private static final long serialVersionUID = 1;
        /** How many of its bytes are its own, and are not looked through again. */
        private final int own;

        BrokenFile(String message, int own) {
            super(message, null, false, false);
            this.own = own;
        }
    }

    /** @param broken told of each file that was passed over since it breaks off, in words */
    public PictureSplitter(InputStream in, Consumer<String> broken) {
        this.in = in;
        this.broken = broken;
    }

    /** The next whole file; null at the end of the stream. */
    public byte[] next() throws IOException {
        while (true) {
            int first = start();
            if (first == END) {
                return null;
            }
            try {
                if (first == 0xff) {
                    jpeg();
                } else {
                    png();
                }
                return file.toByteArray();
            } catch (BrokenFile e) {
                broken.accept(e.getMessage());
                again(e.own);
            }
        }
    }

    /** Puts all but the first bytes of the file back into the stream. */
    private void again(int own) {
        byte[] bytes = file.toByteArray();
        int back = bytes.length - own;
        byte[] joined = new byte[Math.max(BUFFER, back + limit - at)];
        System.arraycopy(bytes, own, joined, 0, back);
        System.arraycopy(buffer, at, joined, back, limit - at);
        limit = back + limit - at;
        at = 0;
        buffer = joined;
    }

    /** Finds where a file begins, and takes its first bytes; the very first one, or the end. */
    private int start() throws IOException {
        byte[] last = new byte[PngText.SIGNATURE.length];
        for (int b = read(); b != END; b = read()) {
            System.arraycopy(last, 1, last, 0, last.length - 1);
            last[last.length - 1] = (byte) b;
            if (Arrays.equals(last, PngText.SIGNATURE)) {
                begin(last);
                return last[0] & 0xff;
            }
            int n = last.length;
            if (b == 0xff && (last[n - 2] & 0xff) == SOI && (last[n - 3] & 0xff) == 0xff) {
                begin(new byte[] {(byte) 0xff, (byte) SOI});
                at--;
                return 0xff;
            }
        }
        return END;
    }

    private void begin(byte[] bytes) {
        file = new ByteArrayOutputStream(BUFFER);
        file.writeBytes(bytes);
    }

    /** Chunks up to IEND; each has its length, its type, its data and a checksum (ISO/IEC 15948, 5.3). */
    private void png() throws IOException, BrokenFile {
        String type;
        do {
            byte[] head = take(CHUNK_HEAD, PngText.SIGNATURE.length);
            long length = ((head[0] & 0xffL) << 24) | (head[1] & 0xff) << 16 | (head[2] & 0xff) << 8 | head[3] & 0xff;
            type = new String(head, 4, 4, StandardCharsets.ISO_8859_1);
            if (length > LONGEST - CHUNK_FRAME - file.size() || !type.matches("[A-Za-z]{4}")) {
                throw new BrokenFile("a PNG file is damaged", PngText.SIGNATURE.length);
            }
            byte[] data = take((int) length, PngText.SIGNATURE.length);
            byte[] sum = take(4, PngText.SIGNATURE.length);
            int wanted = (sum[0] & 0xff) << 24 | (sum[1] & 0xff) << 16 | (sum[2] & 0xff) << 8 | sum[3] & 0xff;
            if (PngText.checksum(type, data) != wanted) {
                throw new BrokenFile("a PNG file is damaged", PngText.SIGNATURE.length);
            }
        } while (!type.equals("IEND"));
    }

    /** Segments and scans up to the end marker (ISO/IEC 10918-1, B.1). */
    private void jpeg() throws IOException, BrokenFile {
        boolean scan = false;
        while (true) {
            int b = one();
            if (b != 0xff) {
                if (!scan) {
                    throw new BrokenFile("a JPEG file is damaged", 2);
                }
                continue;
            }
            while (b == 0xff) {
                b = one();
            }
            if (b == EOI) {
                return;
            }
            if (b == SOI) {
                // The next file: the marker is put back, and with it what filled the place before it.
                throw new BrokenFile("a JPEG file is cut off", file.size() - 2);
            }
            boolean alone = b == TEMPORARY || b >= FIRST_RESTART && b < SOI;
            if (scan && (b == 0 || alone)) {
                continue;
            }
            if (!alone) {
                int length = one() << 8 | one();
                if (b == 0 || length < 2) {
                    throw new BrokenFile("a JPEG file is damaged", 2);
                }
                take(length - 2, 2);
                scan = b == SCAN;
            }
        }
    }

    /** One more byte of the file. */
    private int one() throws IOException, BrokenFile {
        int b = read();
        if (b == END) {
            throw new BrokenFile("the stream ends within a picture", file.size());
        }
        if (file.size() >= LONGEST) {
            throw new BrokenFile("a picture is longer than " + (LONGEST >> 20) + " MiB", file.size());
        }
        file.write(b);
        return b;
    }

    /**
     * More bytes of the file.
     *
     * @param own bytes of it that are not looked through again when it breaks off here
     */
    private byte[] take(int length, int own) throws IOException, BrokenFile {
        byte[] bytes = new byte[Math.min(length, Math.max(BUFFER, limit - at))];
        for (int have = 0; have < length;) {
            if (have == bytes.length) {
                bytes = Arrays.copyOf(bytes, (int) Math.min(length, 2L * bytes.length));
            }
            if (at == limit && !fill()) {
                throw new BrokenFile("the stream ends within a picture", own);
            }
            int n = Math.min(bytes.length - have, limit - at);
            System.arraycopy(buffer, at, bytes, have, n);
            file.write(buffer, at, n);
            at += n;
            have += n;
        }
        return bytes;
    }

    private int read() throws IOException {
        return at == limit && !fill() ? END : buffer[at++] & 0xff;
    }

    private boolean fill() throws IOException {
        int n = in.read(buffer, 0, buffer.length);
        at = 0;
        limit = Math.max(0, n);
        return n > 0;
    }
}
