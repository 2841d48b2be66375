package jdiffusion.tensor;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Text files as their readers want them, whatever the editor that saved them last put before the text. */
public final class PlainText {
    private static final byte[] UTF_8_MARK = {(byte) 0xef, (byte) 0xbb, (byte) 0xbf};

    private PlainText() {
    }

    /** The bytes of the text in UTF-8 without a byte order mark; UTF-16 is known by its mark. */
    public static byte[] utf8(byte[] bytes) {
        if (startsWith(bytes, UTF_8_MARK)) {
            return Arrays.copyOfRange(bytes, UTF_8_MARK.length, bytes.length);
        }
        boolean utf16 = startsWith(bytes, new byte[] {(byte) 0xfe, (byte) 0xff})
                || startsWith(bytes, new byte[] {(byte) 0xff, (byte) 0xfe});
        return utf16 ? new String(bytes, StandardCharsets.UTF_16).getBytes(StandardCharsets.UTF_8) : bytes;
    }

    private static boolean startsWith(byte[] bytes, byte[] mark) {
        return bytes.length >= mark.length && Arrays.equals(bytes, 0, mark.length, mark, 0, mark.length);
    }
}
