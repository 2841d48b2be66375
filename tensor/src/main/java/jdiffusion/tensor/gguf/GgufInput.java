package jdiffusion.tensor.gguf;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import jdiffusion.tensor.InputException;

/**
 * Reads numbers and texts one after the other. Every length is compared with what is left of the file, and of the
 * {@link #LARGEST} bytes that a header may have, before anything is allocated for it.
 */
final class GgufInput {
    /** Bytes of a header; the largest known ones, with the vocabulary of a language model, have a tenth. */
    static final int LARGEST = 100_000_000;
    private static final int MOST_KEPT = 200_000;
    private static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final String origin;
    private final MemorySegment file;
    private long position;

    /** @param origin the file's name, for messages */
    GgufInput(String origin, MemorySegment file) {
        this.origin = origin;
        this.file = file;
    }

    /** The same from a position on that was read before. */
    GgufInput at(long place) {
        GgufInput in = new GgufInput(origin, file);
        in.position = place;
        return in;
    }

    String origin() {
        return origin;
    }

    long position() {
        return position;
    }

    long fileSize() {
        return file.byteSize();
    }

    /** Goes on by {@code bytes}, not negative, and returns where these begin; {@code what} they are, for the error. */
    long skip(long bytes, String what) {
        if (bytes > file.byteSize() - position) {
            throw new InputException(origin + ": is cut short or damaged: " + what + " at byte " + position + " needs "
                    + bytes + " bytes, but the file has " + file.byteSize() + "; download it again");
        }
        if (bytes > LARGEST - position) {
            throw fault("its header is longer than " + LARGEST + " bytes, at " + what);
        }
        long start = position;
        position += bytes;
        return start;
    }

    int int8(String what) {
        return file.get(ValueLayout.JAVA_BYTE, skip(1, what));
    }

    int int16(String what) {
        return file.get(SHORT, skip(2, what));
    }

    int int32(String what) {
        return file.get(INT, skip(4, what));
    }

    long int64(String what) {
        return file.get(LONG, skip(8, what));
    }

    /** A number of things that take at least {@code least} bytes each, checked to be there. */
    long count(int least, String what) {
        long count = int64("the number of " + what);
        if (count < 0 || count > (file.byteSize() - position) / least) {
            throw new InputException(origin + ": is cut short or damaged: it would have "
                    + Long.toUnsignedString(count) + " " + what + (least == 1 ? "" : " of at least " + least + " bytes")
                    + ", but " + (file.byteSize() - position) + " bytes follow; download it again");
        }
        return count;
    }

    /** The same of things that are kept. */
    int keptCount(int least, String what) {
        long count = count(least, what);
        if (count > MOST_KEPT) {
            throw fault("it has " + count + " " + what + ", more than " + MOST_KEPT);
        }
        return (int) count;
    }

    /** A text as it is stored: its length, and so many bytes of UTF-8. */
    String text(String what) {
        long length = length(what);
        byte[] bytes = file.asSlice(skip(length, what), length).toArray(ValueLayout.JAVA_BYTE);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    void skipText(String what) {
        skip(length(what), what);
    }

    private long length(String what) {
        return count(1, "bytes of " + what);
    }

    InputException fault(String what) {
        return new InputException(origin + ": is damaged: " + what + "; download it again");
    }
}
