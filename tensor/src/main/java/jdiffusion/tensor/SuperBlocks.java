package jdiffusion.tensor;

import static jdiffusion.tensor.SmallBlocks.half;
import static jdiffusion.tensor.SmallBlocks.unsigned;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * GGUF's blocks of 256 elements ("k-quants"): codes, a small integer for each 16 or 32 elements, and float16 factors
 * of these integers for the block. An element is (d * s) * code, less (dmin * m) where the format has minima.
 */
final class SuperBlocks {
    private static final int SIZE = 256;

    private SuperBlocks() {
    }

    /** scales and minima [16] (four bits each), codes [64], d, dmin. */
    static void decodeQ2(MemorySegment data, long offset, float[] to, int at) {
        float d = half(data, offset + 80);
        float dmin = half(data, offset + 82);
        for (int i = 0; i < SIZE; i += 16) {
            int both = unsigned(data, offset + i / 16);
            float scale = d * (both & 15);
            float least = dmin * (both >> 4);
            for (int e = i; e < i + 16; e++) {
                to[at + e] = scale * twoBits(data, offset + 16, e) - least;
            }
        }
    }

    /** bits [32] that say that 4 is not to be subtracted, codes [64], scales [12], d. */
    static void decodeQ3(MemorySegment data, long offset, float[] to, int at) {
        float d = half(data, offset + 108);
        long scales = offset + 96;
        for (int i = 0; i < SIZE; i += 16) {
            int n = i / 16;
            int low = n < 8 ? unsigned(data, scales + n) & 15 : unsigned(data, scales + n - 8) >> 4;
            int high = unsigned(data, scales + 8 + n % 4) >> 2 * (n / 4) & 3;
            float scale = d * ((low | high << 4) - 32);
            for (int e = i; e < i + 16; e++) {
                int without = unsigned(data, offset + e % 32) >> e / 32 & 1;
                to[at + e] = scale * (twoBits(data, offset + 32, e) - (without == 1 ? 0 : 4));
            }
        }
    }

    /** d, dmin, scales and minima [12], codes [128]. */
    static void decodeQ4(MemorySegment data, long offset, float[] to, int at) {
        float d = half(data, offset);
        float dmin = half(data, offset + 2);
        for (int i = 0; i < SIZE; i += 32) {
            float scale = d * scale(data, offset + 4, i / 32);
            float least = dmin * least(data, offset + 4, i / 32);
            for (int e = i; e < i + 32; e++) {
                to[at + e] = scale * fourBits(data, offset + 16, e) - least;
            }
        }
    }

    /** d, dmin, scales and minima [12], fifth bits [32], codes [128]. */
    static void decodeQ5(MemorySegment data, long offset, float[] to, int at) {
        float d = half(data, offset);
        float dmin = half(data, offset + 2);
        for (int i = 0; i < SIZE; i += 32) {
            float scale = d * scale(data, offset + 4, i / 32);
            float least = dmin * least(data, offset + 4, i / 32);
            for (int e = i; e < i + 32; e++) {
                int high = unsigned(data, offset + 16 + e % 32) >> e / 32 & 1;
                to[at + e] = scale * (fourBits(data, offset + 48, e) | high << 4) - least;
            }
        }
    }

    /** low four bits [128], high two bits [64], signed scales [16], d. */
    static void decodeQ6(MemorySegment data, long offset, float[] to, int at) {
        float d = half(data, offset + 208);
        for (int i = 0; i < SIZE; i += 16) {
            float scale = d * data.get(ValueLayout.JAVA_BYTE, offset + 192 + i / 16);
            for (int e = i; e < i + 16; e++) {
                int low = unsigned(data, offset + e / 128 * 64 + e % 64) >> e / 64 % 2 * 4 & 15;
                to[at + e] = scale * ((low | twoBits(data, offset + 128, e) << 4) - 32);
            }
        }
    }

    /** A byte holds elements i, i + 32, i + 64 and i + 96 of 128, the first in the lowest bits. */
    private static int twoBits(MemorySegment data, long codes, int e) {
        return unsigned(data, codes + e / 128 * 32 + e % 32) >> e / 32 % 4 * 2 & 3;
    }

    /** A byte holds elements i and i + 32 of 64, the first in the lower half. */
    private static int fourBits(MemorySegment data, long codes, int e) {
        return unsigned(data, codes + e / 64 * 32 + e % 32) >> e / 32 % 2 * 4 & 15;
    }

    /** Scale i of eight of six bits; the four last lend their two high bits to the bytes of the four first. */
    private static int scale(MemorySegment data, long packed, int i) {
        return i < 4 ? unsigned(data, packed + i) & 63
                : unsigned(data, packed + 4 + i) & 15 | unsigned(data, packed + i - 4) >> 6 << 4;
    }

    /** Minimum i of eight, packed as the scales are. */
    private static int least(MemorySegment data, long packed, int i) {
        return i < 4 ? unsigned(data, packed + 4 + i) & 63
                : unsigned(data, packed + 4 + i) >> 4 | unsigned(data, packed + i) >> 6 << 4;
    }
}
