package jdiffusion.kernels.linear;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdiffusion.kernels.cpu.Codes;
import jdiffusion.kernels.cpu.Codes.Fields;
import jdiffusion.kernels.cpu.WarmUp.Group;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.Weight;

/**
 * Elements of {@link Weight.Blocks} on the CPU, to the bit those of {@link BlockFormat#decode}.
 *
 * <p>In every format 16 elements from a multiple of 16 on share one scale, and their codes lie side by side in bytes,
 * so these are decoded at a time, wherever in a block they are.
 */
final class CpuBlocks {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private CpuBlocks() {
    }

    /** Elements {@code from} to {@code from + count} of a row into {@code to}. */
    static void run(Weight.Blocks w, int row, int from, int count, float[] to, int at) {
        if ((from | count) % Codes.RUN != 0) {
            w.read(row, from, count, to, at);
            return;
        }
        boolean vectors = Group.CODES.ready();
        MemorySegment data = w.bytes().data();
        BlockFormat format = w.format();
        int runs = format.blockSize() / Codes.RUN;
        long start = w.bytes().rowOffset(row);
        int first = from / Codes.RUN;
        for (int i = 0; i < count / Codes.RUN; i++) {
            long block = start + (long) ((first + i) / runs) * format.blockBytes();
            decode(vectors, format, data, block, (first + i) % runs, to, at + i * Codes.RUN);
        }
    }

    /** Run {@code i} of the block at {@code b}; for the layouts see {@link BlockFormat}. */
    private static void decode(boolean vectors, BlockFormat format, MemorySegment data, long b, int i, float[] to,
                               int at) {
        switch (format) {
            case Q8_0 -> Codes.signed(vectors, data, b + 2 + i * 16L, half(data, b), to, at);
            case Q4_0 -> Codes.fields(vectors, data, fourBits(b + 2, i * 4, 8), half(data, b), 0, to, at);
            case Q4_1 -> Codes.fields(vectors, data, fourBits(b + 4, i * 4, 0), half(data, b), -half(data, b + 2), to,
                    at);
            case Q5_0 -> Codes.fiveBits(vectors, data, b + 6, i * 4, data.get(INT, b + 2) >>> 16 * i, 16,
                    half(data, b), 0, to, at);
            case Q5_1 -> Codes.fiveBits(vectors, data, b + 8, i * 4, data.get(INT, b + 4) >>> 16 * i, 0, half(data, b),
                    -half(data, b + 2), to, at);
            case Q2_K -> {
                int both = unsigned(data, b + i);
                Codes.fields(vectors, data, new Fields(twoBits(b + 16, i), i / 2 % 4 * 2, 3, 0, 0, 0, 0, 0),
                        half(data, b + 80) * (both & 15), half(data, b + 82) * (both >> 4), to, at);
            }
            case Q3_K -> {
                int low = i < 8 ? unsigned(data, b + 96 + i) & 15 : unsigned(data, b + 88 + i) >> 4;
                int high = unsigned(data, b + 104 + i % 4) >> i / 4 * 2 & 3;
                Codes.fields(vectors, data,
                        new Fields(twoBits(b + 32, i), i / 2 % 4 * 2, 3, b + i % 2 * 16, i / 2, 1, 2, 4),
                        half(data, b + 108) * ((low | high << 4) - 32), 0, to, at);
            }
            case Q4_K -> Codes.fields(vectors, data, fourBits(b + 16 + i / 4 * 32 + i % 2 * 16, i / 2 % 2 * 4, 0),
                    half(data, b) * scale(data, b + 4, i / 2), half(data, b + 2) * least(data, b + 4, i / 2), to, at);
            case Q5_K -> Codes.fields(vectors, data,
                    new Fields(b + 48 + i / 4 * 32 + i % 2 * 16, i / 2 % 2 * 4, 15, b + 16 + i % 2 * 16, i / 2, 1, 4, 0),
                    half(data, b) * scale(data, b + 4, i / 2), half(data, b + 2) * least(data, b + 4, i / 2), to, at);
            case Q6_K -> Codes.fields(vectors, data,
                    new Fields(b + i / 8 * 64 + i % 4 * 16, i / 4 % 2 * 4, 15, twoBits(b + 128, i), i / 2 % 4 * 2, 3, 4,
                            32),
                    half(data, b + 208) * data.get(ValueLayout.JAVA_BYTE, b + 192 + i), 0, to, at);
        }
    }

    private static Fields fourBits(long low, int shift, int minus) {
        return new Fields(low, shift, 15, 0, 0, 0, 0, minus);
    }

    /** The first byte of run {@code i} where elements have two bits. */
    private static long twoBits(long codes, int i) {
        return codes + i / 8 * 32 + i % 2 * 16;
    }

    private static float half(MemorySegment data, long offset) {
        return Float.float16ToFloat(data.get(SHORT, offset));
    }

    private static int unsigned(MemorySegment data, long offset) {
        return data.get(ValueLayout.JAVA_BYTE, offset) & 0xff;
    }

    /** Scale i of eight of six bits in twelve bytes. */
    private static int scale(MemorySegment data, long packed, int i) {
        return i < 4 ? unsigned(data, packed + i) & 63
                : unsigned(data, packed + 4 + i) & 15 | unsigned(data, packed + i - 4) >> 6 << 4;
    }

    private static int least(MemorySegment data, long packed, int i) {
        return i < 4 ? unsigned(data, packed + 4 + i) & 63
                : unsigned(data, packed + 4 + i) >> 4 | unsigned(data, packed + i) >> 6 << 4;
    }
}
