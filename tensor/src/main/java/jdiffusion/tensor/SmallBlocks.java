package jdiffusion.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * GGUF's blocks of 32 elements: a scale as float16, with {@code least} also the least value as float16, then for five
 * bits the 32 highest bits, then the codes. A byte holds the low four bits of elements i (low half) and i + 16.
 */
final class SmallBlocks {
    static final int SIZE = 32;
    private static final int HALF = SIZE / 2;
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private SmallBlocks() {
    }

    /** The float16 at {@code offset}, widened. */
    static float half(MemorySegment data, long offset) {
        return Float.float16ToFloat(data.get(SHORT, offset));
    }

    static int unsigned(MemorySegment data, long offset) {
        return data.get(ValueLayout.JAVA_BYTE, offset) & 0xff;
    }

    static void decodeQ8(MemorySegment data, long offset, float[] to, int at) {
        float scale = half(data, offset);
        for (int i = 0; i < SIZE; i++) {
            to[at + i] = data.get(ValueLayout.JAVA_BYTE, offset + 2 + i) * scale;
        }
    }

    static void decodeQ4(MemorySegment data, long offset, boolean least, float[] to, int at) {
        float scale = half(data, offset);
        long codes = offset + (least ? 4 : 2);
        for (int i = 0; i < HALF; i++) {
            int two = unsigned(data, codes + i);
            to[at + i] = (least ? two & 15 : (two & 15) - 8) * scale;
            to[at + HALF + i] = (least ? two >> 4 : (two >> 4) - 8) * scale;
        }
        if (least) {
            add(half(data, offset + 2), to, at);
        }
    }

    static void decodeQ5(MemorySegment data, long offset, boolean least, float[] to, int at) {
        float scale = half(data, offset);
        long top = offset + (least ? 4 : 2);
        int high = data.get(INT, top);
        for (int i = 0; i < HALF; i++) {
            int two = unsigned(data, top + 4 + i);
            int first = two & 15 | (high >>> i & 1) << 4;
            int second = two >> 4 | (high >>> HALF + i & 1) << 4;
            to[at + i] = (least ? first : first - 16) * scale;
            to[at + HALF + i] = (least ? second : second - 16) * scale;
        }
        if (least) {
            add(half(data, offset + 2), to, at);
        }
    }

    private static void add(float value, float[] to, int at) {
        for (int i = 0; i < SIZE; i++) {
            to[at + i] += value;
        }
    }

    static void encodeQ8(float[] from, int at, MemorySegment data, long offset) {
        float largest = 0;
        for (int i = 0; i < SIZE; i++) {
            largest = Math.max(largest, Math.abs(from[at + i]));
        }
        float factor = scale(largest / 127, data, offset);
        for (int i = 0; i < SIZE; i++) {
            float code = from[at + i] * factor;
            float magnitude = Math.abs(code);
            int whole = (int) magnitude;
            int rounded = magnitude - whole >= 0.5f ? whole + 1 : whole;
            data.set(ValueLayout.JAVA_BYTE, offset + 2 + i, (byte) (code < 0 ? -rounded : rounded));
        }
    }

    static void encodeQ4(float[] from, int at, boolean least, MemorySegment data, long offset) {
        int[] codes = codes(from, at, 4, least, data, offset);
        pair(codes, data, offset + (least ? 4 : 2));
    }

    static void encodeQ5(float[] from, int at, boolean least, MemorySegment data, long offset) {
        int[] codes = codes(from, at, 5, least, data, offset);
        long top = offset + (least ? 4 : 2);
        int high = 0;
        for (int i = 0; i < SIZE; i++) {
            high |= (codes[i] >> 4) << i;
        }
        data.set(INT, top, high);
        pair(codes, data, top + 4);
    }

    /** Writes the scale, and the least value where there is one, and returns the codes. */
    private static int[] codes(float[] from, int at, int bits, boolean least, MemorySegment data, long offset) {
        int top = (1 << bits) - 1;
        float low = Float.MAX_VALUE;
        float high = -Float.MAX_VALUE;
        float largest = 0;
        for (int i = 0; i < SIZE; i++) {
            float v = from[at + i];
            low = v < low ? v : low;
            high = v > high ? v : high;
            largest = Math.abs(v) > Math.abs(largest) ? v : largest;
        }
        float factor;
        float rounding = 0.5f;
        if (least) {
            factor = scale((high - low) / top, data, offset);
            data.set(SHORT, offset + 2, Float.floatToFloat16(low));
        } else {
            // The element of the largest magnitude, whatever its sign, gets the code 0.
            int middle = 1 << bits - 1;
            factor = scale(largest / -middle, data, offset);
            rounding += middle;
            low = 0;
        }
        int[] codes = new int[SIZE];
        for (int i = 0; i < SIZE; i++) {
            codes[i] = Math.clamp((int) ((from[at + i] - low) * factor + rounding), 0, top);
        }
        return codes;
    }

    /** Writes a scale and returns what elements are multiplied by; the scale is not rounded for that. */
    private static float scale(float scale, MemorySegment data, long offset) {
        data.set(SHORT, offset, Float.floatToFloat16(scale));
        return scale == 0 ? 0 : 1 / scale;
    }

    private static void pair(int[] codes, MemorySegment data, long offset) {
        for (int i = 0; i < HALF; i++) {
            data.set(ValueLayout.JAVA_BYTE, offset + i, (byte) (codes[i] & 15 | (codes[HALF + i] & 15) << 4));
        }
    }
}
