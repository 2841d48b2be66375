package jdiffusion.model.image;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * What a JPEG file says before its pixels (ISO/IEC 10918-1, annex B).
 *
 * @param exif       the block of its first EXIF segment; null without
 * @param jfif       whether it is marked as JFIF
 * @param adobe      the colour transform in Adobe's segment; -1 without
 * @param components their identifiers, one byte each
 * @param comment    its first comment; null without
 */
record JpegSegments(byte[] exif, boolean jfif, int adobe, byte[] components, byte[] comment) {
    private static final byte[] EXIF = "Exif\0\0".getBytes(StandardCharsets.ISO_8859_1);
    private static final byte[] JFIF = "JFIF\0".getBytes(StandardCharsets.ISO_8859_1);
    private static final byte[] ADOBE = "Adobe".getBytes(StandardCharsets.ISO_8859_1);
    private static final int ADOBE_TRANSFORM = 11;
    private static final int APP0 = 0xe0;
    private static final int APP1 = 0xe1;
    private static final int APP14 = 0xee;
    private static final int APP15 = 0xef;
    private static final int COMMENT = 0xfe;
    private static final int SCAN = 0xda;

    /** Reads up to the first scan; what follows a segment that is cut off is taken for missing. */
    static JpegSegments read(DataInputStream in) throws IOException {
        byte[] exif = null;
        boolean jfif = false;
        int adobe = -1;
        byte[] components = {};
        byte[] comment = null;
        try {
            in.skipNBytes(2);
            for (int marker = marker(in); marker != SCAN; marker = marker(in)) {
                if (marker == 0x01 || marker >= 0xd0 && marker <= 0xd9) {
                    continue; // has no length
                }
                byte[] data = new byte[Math.max(0, in.readUnsignedShort() - 2)];
                in.readFully(data);
                if (marker == APP0) {
                    jfif |= startsWith(data, JFIF);
                } else if (marker == APP1 && exif == null && startsWith(data, EXIF)) {
                    exif = Arrays.copyOfRange(data, EXIF.length, data.length);
                } else if (marker == APP14 && startsWith(data, ADOBE) && data.length > ADOBE_TRANSFORM) {
                    adobe = data[ADOBE_TRANSFORM];
                } else if (marker == COMMENT && comment == null) {
                    comment = data;
                } else if (isFrame(marker) && data.length > 5) {
                    components = identifiers(data);
                }
            }
        } catch (EOFException _) {
            // The decoder says what is wrong with a file that ends here.
        }
        return new JpegSegments(exif, jfif, adobe, components, comment);
    }

    /**
     * The file without applications' segments and comments: ImageIO refuses files for what is wrong with profiles and
     * thumbnails that nobody asks for.
     */
    static byte[] plain(byte[] jpeg) {
        ByteArrayOutputStream out = new ByteArrayOutputStream(jpeg.length);
        int at = Math.min(2, jpeg.length);
        out.write(jpeg, 0, at);
        while (at + 4 <= jpeg.length && (jpeg[at] & 0xff) == 0xff && (jpeg[at + 1] & 0xff) != SCAN) {
            int marker = jpeg[at + 1] & 0xff;
            boolean fills = marker == 0xff;
            boolean alone = marker == 0x01 || marker >= 0xd0 && marker <= 0xd9;
            int length = fills ? 1 : alone ? 2 : 2 + ((jpeg[at + 2] & 0xff) << 8 | jpeg[at + 3] & 0xff);
            if (length > jpeg.length - at) {
                break;
            }
            if (marker < APP0 || marker > COMMENT || marker > APP15 && marker < COMMENT) {
                out.write(jpeg, at, length);
            }
            at += length;
        }
        out.write(jpeg, at, jpeg.length - at);
        return out.toByteArray();
    }

    /** SOF0 to SOF15 without the three of their range that mean something else. */
    private static boolean isFrame(int marker) {
        return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    }

    private static byte[] identifiers(byte[] frame) {
        byte[] all = new byte[Math.min(frame[5] & 0xff, (frame.length - 6) / 3)];
        for (int i = 0; i < all.length; i++) {
            all[i] = frame[6 + 3 * i];
        }
        return all;
    }

    /** The next marker, whatever stands before it. */
    private static int marker(DataInputStream in) throws IOException {
        int code = in.readUnsignedByte();
        while (code != 0xff) {
            code = in.readUnsignedByte();
        }
        while (code == 0xff) {
            code = in.readUnsignedByte();
        }
        return code;
    }

    static boolean startsWith(byte[] data, byte[] start) {
        return data.length >= start.length && Arrays.equals(data, 0, start.length, start, 0, start.length);
    }

    /** Whether the first three components are luma and chroma, by the rules of libjpeg. */
    boolean isLumaChroma() {
        if (components.length == 4) {
            return adobe >= 0 && adobe != 0;
        }
        if (jfif || adobe >= 0) {
            return jfif || adobe != 0;
        }
        return !Arrays.equals(components, new byte[] {'R', 'G', 'B'});
    }
}
