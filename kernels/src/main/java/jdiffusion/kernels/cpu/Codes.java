package jdiffusion.kernels.cpu;

import static jdiffusion.kernels.cpu.Simd.LANES;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.GE;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.NE;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Codes of quantised weights to float32, {@link #RUN} elements at a time: each kind as vectors and, for the time until
 * these are compiled, as a plain loop that gives the same bits. Nothing is fused: a product is rounded before anything
 * is added to it, as in the programs that define the formats.
 */
public final class Codes {
    /** Elements of a step, whatever the vector width. */
    public static final int RUN = 16;
    private static final int PARTS = RUN / LANES;
    private static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    /** As many bytes as there are lanes; at 128 bits, where there is no such vector, not used. */
    private static final VectorSpecies<Byte> B =
            VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, Simd.BITS / 4)));
    private static final IntVector LANE = IntVector.zero(Simd.I).addIndex(1);
    /** Where the four bits of a lane lie in 32: the earlier element has the higher half of a byte. */
    private static final IntVector NIBBLE = LANE.and(7).lanewise(LSHR, 1).mul(8).add(LANE.and(1).neg().add(1).mul(4));
    private static final IntVector LATER_NIBBLE = NIBBLE.add(16);
    private static final IntVector BYTE = LANE.mul(8);
    private static final VectorMask<Integer> UPPER = LANE.compare(GE, 8);

    private Codes() {
    }

    /** {@code n} elements, a multiple of {@link #RUN}, from codes of four bits; the first is in a byte's high half. */
    public static void lookUp(boolean vectors, MemorySegment codes, long offset, MemorySegment map, float scale,
                              float[] to, int at, int n) {
        if (vectors) {
            lookUpVectors(codes, offset, map, scale, to, at, n);
            return;
        }
        for (int i = 0; i < n; i += 2) {
            int two = codes.get(ValueLayout.JAVA_BYTE, offset + i / 2) & 0xff;
            to[at + i] = map.get(FLOAT, 4L * (two >> 4)) * scale;
            to[at + i + 1] = map.get(FLOAT, 4L * (two & 15)) * scale;
        }
    }

    static void lookUpVectors(MemorySegment codes, long offset, MemorySegment map, float scale, float[] to, int at,
                              int n) {
        FloatVector map0 = FloatVector.fromMemorySegment(Simd.F, map, 0, Simd.ORDER);
        FloatVector map1 = FloatVector.fromMemorySegment(Simd.F, map, 4L * (LANES % RUN), Simd.ORDER);
        FloatVector map2 = FloatVector.fromMemorySegment(Simd.F, map, 4L * (2 * LANES % RUN), Simd.ORDER);
        FloatVector map3 = FloatVector.fromMemorySegment(Simd.F, map, 4L * (3 * LANES % RUN), Simd.ORDER);
        for (int i = 0; i < n; i += RUN) {
            for (int part = 0; part < PARTS; part++) {
                select(nibbles(codes, offset + i / 2, part), map0, map1, map2, map3).mul(scale)
                        .intoArray(to, at + i + part * LANES);
            }
        }
    }

    private static IntVector nibbles(MemorySegment codes, long offset, int part) {
        IntVector words = switch (LANES) {
            case 16 -> IntVector.broadcast(Simd.I, codes.get(INT, offset))
                    .blend(IntVector.broadcast(Simd.I, codes.get(INT, offset + 4)), UPPER);
            case 8 -> IntVector.broadcast(Simd.I, codes.get(INT, offset + 4L * part));
            default -> IntVector.broadcast(Simd.I, codes.get(INT, offset + 4L * (part / 2)));
        };
        return words.lanewise(LSHR, LANES == 4 && part % 2 == 1 ? LATER_NIBBLE : NIBBLE).and(15);
    }

    /** The values of a map of 16, which takes one, two or four vectors. */
    private static FloatVector select(IntVector codes, FloatVector map0, FloatVector map1, FloatVector map2,
                                      FloatVector map3) {
        var shuffle = codes.and(LANES - 1).toShuffle().cast(Simd.F);
        FloatVector low = map0.rearrange(shuffle);
        if (LANES == 16) {
            return low;
        }
        FloatVector next = map1.rearrange(shuffle);
        if (LANES == 8) {
            return low.blend(next, bit(codes, 8));
        }
        FloatVector third = map2.rearrange(shuffle);
        FloatVector last = map3.rearrange(shuffle);
        VectorMask<Float> odd = bit(codes, 4);
        return low.blend(next, odd).blend(third.blend(last, odd), bit(codes, 8));
    }

    private static VectorMask<Float> bit(IntVector codes, int bit) {
        return codes.and(bit).compare(NE, 0).cast(Simd.F);
    }

    /** A run of signed bytes times a scale. */
    public static void signed(boolean vectors, MemorySegment codes, long offset, float scale, float[] to, int at) {
        if (vectors) {
            signedVectors(codes, offset, scale, to, at);
            return;
        }
        for (int i = 0; i < RUN; i++) {
            to[at + i] = codes.get(ValueLayout.JAVA_BYTE, offset + i) * scale;
        }
    }

    static void signedVectors(MemorySegment codes, long offset, float scale, float[] to, int at) {
        for (int part = 0; part < PARTS; part++) {
            IntVector code = bytes(codes, offset, part).lanewise(LSHL, 24).lanewise(ASHR, 24);
            floats(code).mul(scale).intoArray(to, at + part * LANES);
        }
    }

    /**
     * A run of elements with all their bits in one byte each: scale * (code - minus) - least.
     *
     * @param low      the first byte
     * @param lowShift where the bits lie in it
     * @param lowBits  how many there are
     */
    public static void whole(boolean vectors, MemorySegment codes, long low, int lowShift, int lowBits, int minus,
                             float scale, float least, float[] to, int at) {
        if (vectors) {
            wholeVectors(codes, low, lowShift, lowBits, minus, scale, least, to, at);
            return;
        }
        int lowMask = (1 << lowBits) - 1;
        for (int i = 0; i < RUN; i++) {
            int code = codes.get(ValueLayout.JAVA_BYTE, low + i) >> lowShift & lowMask;
            to[at + i] = scale * (code - minus) - least;
        }
    }

    static void wholeVectors(MemorySegment codes, long low, int lowShift, int lowBits, int minus, float scale,
                             float least, float[] to, int at) {
        int lowMask = (1 << lowBits) - 1;
        for (int part = 0; part < PARTS; part++) {
            IntVector code = bytes(codes, low, part).lanewise(LSHR, lowShift).and(lowMask);
            floats(code.sub(minus)).mul(scale).sub(least).intoArray(to, at + part * LANES);
        }
    }

    /** As {@link #whole}, with more bits above those, which lie in bytes of their own. */
    public static void split(boolean vectors, MemorySegment codes, long low, int lowShift, int lowBits, long high,
                             int highShift, int highBits, int minus, float scale, float least, float[] to, int at) {
        if (vectors) {
            splitVectors(codes, low, lowShift, lowBits, high, highShift, highBits, minus, scale, least, to, at);
            return;
        }
        int lowMask = (1 << lowBits) - 1;
        int highMask = (1 << highBits) - 1;
        for (int i = 0; i < RUN; i++) {
            int lower = codes.get(ValueLayout.JAVA_BYTE, low + i) >> lowShift & lowMask;
            int upper = codes.get(ValueLayout.JAVA_BYTE, high + i) >> highShift & highMask;
            to[at + i] = scale * ((lower | upper << lowBits) - minus) - least;
        }
    }

    static void splitVectors(MemorySegment codes, long low, int lowShift, int lowBits, long high, int highShift,
                             int highBits, int minus, float scale, float least, float[] to, int at) {
        int lowMask = (1 << lowBits) - 1;
        int highMask = (1 << highBits) - 1;
        for (int part = 0; part < PARTS; part++) {
            IntVector lower = bytes(codes, low, part).lanewise(LSHR, lowShift).and(lowMask);
            IntVector upper = bytes(codes, high, part).lanewise(LSHR, highShift).and(highMask);
            IntVector code = lower.or(upper.lanewise(LSHL, lowBits));
            floats(code.sub(minus)).mul(scale).sub(least).intoArray(to, at + part * LANES);
        }
    }

    /** A run of elements with four bits each in a byte, and the fifth in the lowest bits of {@code fifth}. */
    public static void fiveBits(boolean vectors, MemorySegment codes, long low, int lowShift, int fifth, int minus,
                                float scale, float least, float[] to, int at) {
        if (vectors) {
            fiveBitVectors(codes, low, lowShift, fifth, minus, scale, least, to, at);
            return;
        }
        for (int i = 0; i < RUN; i++) {
            int code = codes.get(ValueLayout.JAVA_BYTE, low + i) >> lowShift & 15 | (fifth >> i & 1) << 4;
            to[at + i] = scale * (code - minus) - least;
        }
    }

    static void fiveBitVectors(MemorySegment codes, long low, int lowShift, int fifth, int minus, float scale,
                               float least, float[] to, int at) {
        for (int part = 0; part < PARTS; part++) {
            IntVector high = IntVector.broadcast(Simd.I, fifth >> part * LANES).lanewise(LSHR, LANE).and(1);
            IntVector code = bytes(codes, low, part).lanewise(LSHR, lowShift).and(15).or(high.lanewise(LSHL, 4));
            floats(code.sub(minus)).mul(scale).sub(least).intoArray(to, at + part * LANES);
        }
    }

    /** Vector {@code part} of a run of bytes, zero-extended. */
    static IntVector bytes(MemorySegment codes, long offset, int part) {
        if (LANES == 4) {
            return IntVector.broadcast(Simd.I, codes.get(INT, offset + 4L * part)).lanewise(LSHR, BYTE).and(0xff);
        }
        ByteVector bytes = ByteVector.fromMemorySegment(B, codes, offset + (long) LANES * part, Simd.ORDER);
        return (IntVector) bytes.convertShape(ZERO_EXTEND_B2I, Simd.I, 0);
    }

    /**
     * Float16 in the lower halves of lanes, widened. The 15 bits under the sign, moved to float32's places, are the
     * value times 2^-112, subnormals included; one multiplication puts that right. Infinities and NaN would become
     * finite, so they get float32's top exponent.
     */
    static FloatVector halves(IntVector wide) {
        IntVector magnitude = wide.and(0x7fff).lanewise(LSHL, 13);
        FloatVector value = magnitude.reinterpretAsFloats().mul(0x1p112f);
        VectorMask<Integer> top = magnitude.compare(GE, 0x0f800000);
        IntVector result = value.reinterpretAsInts().blend(magnitude.or(0x7f800000), top);
        return result.or(wide.and(0x8000).lanewise(LSHL, 16)).reinterpretAsFloats();
    }

    private static FloatVector floats(IntVector code) {
        return (FloatVector) code.convert(I2F, 0);
    }

    /** The float16 at a byte, widened. */
    public static float half(MemorySegment data, long offset) {
        return Float.float16ToFloat(data.get(SHORT, offset));
    }

    /** All vector loops on scraps, {@code n} elements each. */
    static void everyKind(MemorySegment stored, float[] to, int n) {
        lookUpVectors(stored, 0, stored, 1f, to, 0, n);
        for (int i = 0; i < n; i += RUN) {
            signedVectors(stored, i, 1f, to, i);
            wholeVectors(stored, i, 4, 4, 8, 1f, 0f, to, i);
            splitVectors(stored, i, 4, 4, i, 2, 2, 8, 1f, 0f, to, i);
            fiveBitVectors(stored, i, 4, 0x1234, 16, 1f, 0f, to, i);
        }
    }
}
