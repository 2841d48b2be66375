package jdiffusion.kernels.linear;

import static jdiffusion.kernels.cpu.Codes.half;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdiffusion.kernels.cpu.Codes;
import jdiffusion.kernels.cpu.Mapped;
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
        MemorySegment data = w.bytes().data();
        long start = w.bytes().rowOffset(row);
        Mapped.touch(data, start, w.format().rowBytes(w.cols()));
        int first = from / Codes.RUN;
        int end = first + count / Codes.RUN;
        // A loop for each format: a switch inside of one loop would be more than the compiler likes to inline.
        switch (w.format()) {
            case Q8_0 -> q8(data, start, first, end, to, at);
            case Q4_0, Q4_1 -> q4(data, start, w.format() == BlockFormat.Q4_1, first, end, to, at);
            case Q5_0, Q5_1 -> q5(data, start, w.format() == BlockFormat.Q5_1, first, end, to, at);
            case Q2_K -> q2k(data, start, first, end, to, at);
            case Q3_K -> q3k(data, start, first, end, to, at);
            case Q4_K -> q4k(data, start, first, end, to, at);
            case Q5_K -> q5k(data, start, first, end, to, at);
            case Q6_K -> q6k(data, start, first, end, to, at);
        }
    }

    // Each decodes runs first to end of the row that starts at a byte of data. Here b is where a run's block begins,
    // and i the number of the run in it; for the layouts see BlockFormat.

    private static void q8(MemorySegment data, long start, int first, int end, float[] to, int at) {
        boolean vectors = Group.CODES.ready();
        for (int run = first; run < end; run++) {
            long b = start + run / 2 * 34L;
            Codes.signed(vectors, data, b + 2 + run % 2 * 16, half(data, b), to, at + (run - first) * Codes.RUN);
        }
    }

    private static void q4(MemorySegment data, long start, boolean least, int first, int end, float[] to, int at) {
        boolean vectors = Group.CODES.ready();
        for (int run = first; run < end; run++) {
            long b = start + run / 2 * (least ? 20L : 18L);
            Codes.whole(vectors, data, b + (least ? 4 : 2), run % 2 * 4, 4, least ? 0 : 8, half(data, b),
                    least ? -half(data, b + 2) : 0, to, at + (run - first) * Codes.RUN);
        }
    }

    private static void q5(MemorySegment data, long start, boolean least, int first, int end, float[] to, int at) {
        boolean vectors = Group.CODES.ready();
        for (int run = first; run < end; run++) {
            long b = start + run / 2 * (least ? 24L : 22L);
            long fifth = b + (least ? 4 : 2);
            Codes.fiveBits(vectors, data, fifth + 4, run % 2 * 4, data.get(INT, fifth) >>> run % 2 * 16,
                    least ? 0 : 16, half(data, b), least ? -half(data, b + 2) : 0, to,
                    at + (run - first) * Codes.RUN);
        }
    }

    private static void q2k(MemorySegment data, long start, int first, int end, float[] to, int at) {
        boolean vectors = Group.CODES.ready();
        for (int run = first; run < end; run++) {
            long b = start + run / 16 * 84L;
            int i = run % 16;
            int both = unsigned(data, b + i);
            Codes.whole(vectors, data, twoBits(b + 16, i), i / 2 % 4 * 2, 2, 0, half(data, b + 80) * (both & 15),
                    half(data, b + 82) * (both >> 4), to, at + (run - first) * Codes.RUN);
        }
    }

    private static void q3k(MemorySegment data, long start, int first, int end, float[] to, int at) {
        boolean vectors = Group.CODES.ready();
        for (int run = first; run < end; run++) {
            long b = start + run / 16 * 110L;
            int i = run % 16;
            int low = i < 8 ? unsigned(data, b + 96 + i) & 15 : unsigned(data, b + 88 + i) >> 4;
            int high = unsigned(data, b + 104 + i % 4) >> i / 4 * 2 & 3;
            Codes.split(vectors, data, twoBits(b + 32, i), i / 2 % 4 * 2, 2, b + i % 2 * 16, i / 2, 1, 4,
                    half(data, b + 108) * ((low | high << 4) - 32), 0, to, at + (run - first) * Codes.RUN);
        }
    }

    private static void q4k(MemorySegment data, long start, int first, int end, float[] to, int at) {
        boolean vectors = Group.CODES.ready();
        for (int run = first; run < end; run++) {
            long b = start + run / 16 * 144L;
            int i = run % 16;
            Codes.whole(vectors, data, fourBits(b + 16, i), i / 2 % 2 * 4, 4, 0,
                    half(data, b) * scale(data, b + 4, i / 2), half(data, b + 2) * least(data, b + 4, i / 2), to,
                    at + (run - first) * Codes.RUN);
        }
    }

    private static void q5k(MemorySegment data, long start, int first, int end, float[] to, int at) {
        boolean vectors = Group.CODES.ready();
        for (int run = first; run < end; run++) {
            long b = start + run / 16 * 176L;
            int i = run % 16;
            Codes.split(vectors, data, fourBits(b + 48, i), i / 2 % 2 * 4, 4, b + 16 + i % 2 * 16, i / 2, 1, 0,
                    half(data, b) * scale(data, b + 4, i / 2), half(data, b + 2) * least(data, b + 4, i / 2), to,
                    at + (run - first) * Codes.RUN);
        }
    }

    private static void q6k(MemorySegment data, long start, int first, int end, float[] to, int at) {
        boolean vectors = Group.CODES.ready();
        for (int run = first; run < end; run++) {
            long b = start + run / 16 * 210L;
            int i = run % 16;
            Codes.split(vectors, data, b + i / 8 * 64 + i % 4 * 16, i / 4 % 2 * 4, 4, twoBits(b + 128, i),
                    i / 2 % 4 * 2, 2, 32, half(data, b + 208) * data.get(ValueLayout.JAVA_BYTE, b + 192 + i), 0, to,
                    at + (run - first) * Codes.RUN);
        }
    }

    /** The first byte of run {@code i} where a byte has four elements of 128. */
    private static long twoBits(long codes, int i) {
        return codes + i / 8 * 32 + i % 2 * 16;
    }

    /** The first byte of run {@code i} where a byte has two elements of 64. */
    private static long fourBits(long codes, int i) {
        return codes + i / 4 * 32 + i % 2 * 16;
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
