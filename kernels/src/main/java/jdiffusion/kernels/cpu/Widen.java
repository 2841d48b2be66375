package jdiffusion.kernels.cpu;

import static jdiffusion.kernels.cpu.Simd.LANES;
import static jdk.incubator.vector.VectorOperators.EQ;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.S2I;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_S2I;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.WarmUp.Group;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FloatFormat;
import jdiffusion.tensor.Tensor;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/** Runs of stored numbers widened to float32 arrays: the first half of every packing routine. */
public final class Widen {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Widen() {
    }

    /** {@code n} elements of a stored floating-point type from byte {@code offset} on, into {@code to}. */
    public static void run(MemorySegment from, DType type, long offset, float[] to, int at, int n) {
        switch (type) {
            case F32 -> MemorySegment.copy(from, FLOAT, offset, to, at, n);
            case BF16 -> bf16(from, offset, to, at, n);
            case F16 -> f16(from, offset, to, at, n);
            case F8_E4M3 -> {
                Mapped.touch(from, offset, n);
                int i = Group.FLOAT8.ready() ? e4m3Vectors(from, offset, to, at, n) : 0;
                for (; i < n; i++) {
                    to[at + i] = FloatFormat.e4m3ToFloat(from.get(ValueLayout.JAVA_BYTE, offset + i));
                }
            }
            case F8_E5M2 -> {
                Mapped.touch(from, offset, n);
                int i = Group.FLOAT8.ready() ? e5m2Vectors(from, offset, to, at, n) : 0;
                for (; i < n; i++) {
                    to[at + i] = FloatFormat.e5m2ToFloat(from.get(ValueLayout.JAVA_BYTE, offset + i));
                }
            }
            default -> throw new IllegalArgumentException("no kernel reads " + type);
        }
    }

    /** All elements of a small parameter: a bias, the weight of a norm. */
    public static void vector(Tensor parameter, float[] to) {
        run(parameter.data(), parameter.type(), 0, to, 0, (int) parameter.shape().size());
    }

    /** Rounds inputs of a product to the precision asked for. */
    public static void round(Precision precision, float[] values, int at, int n) {
        if (!precision.rounds()) {
            return;
        }
        int i = Group.ROUND.ready() ? roundVectors(values, at, n) : 0;
        for (; i < n; i++) {
            values[at + i] = FloatFormat.bf16ToFloat(FloatFormat.floatToBf16(values[at + i]));
        }
    }

    // Each does the whole vectors of a run and returns how many elements that was.

    static int roundVectors(float[] values, int at, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            // The carry of + 0x7fff + lowest kept bit rounds to nearest even; a NaN stays one (its top bit is set).
            FloatVector v = FloatVector.fromArray(Simd.F, values, at + i);
            IntVector bits = v.reinterpretAsInts();
            IntVector rounded = bits.lanewise(LSHR, 16).and(1).add(0x7fff).add(bits).and(0xffff0000);
            v.blend(rounded.reinterpretAsFloats(), v.eq(v)).intoArray(values, at + i);
        }
        return i;
    }

    private static void bf16(MemorySegment from, long offset, float[] to, int at, int n) {
        Mapped.touch(from, offset, 2L * n);
        int i = Group.BFLOAT16.ready() ? bf16Vectors(from, offset, to, at, n) : 0;
        for (; i < n; i++) {
            to[at + i] = FloatFormat.bf16ToFloat(from.get(SHORT, offset + 2L * i));
        }
    }

    static int bf16Vectors(MemorySegment from, long offset, float[] to, int at, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            ShortVector bits = ShortVector.fromMemorySegment(Simd.S, from, offset + 2L * i, Simd.ORDER);
            IntVector wide = (IntVector) bits.convertShape(S2I, Simd.I, 0);
            wide.lanewise(LSHL, 16).reinterpretAsFloats().intoArray(to, at + i);
        }
        return i;
    }

    private static void f16(MemorySegment from, long offset, float[] to, int at, int n) {
        Mapped.touch(from, offset, 2L * n);
        int i = Group.FLOAT16.ready() ? f16Vectors(from, offset, to, at, n) : 0;
        for (; i < n; i++) {
            to[at + i] = FloatFormat.f16ToFloat(from.get(SHORT, offset + 2L * i));
        }
    }

    static int f16Vectors(MemorySegment from, long offset, float[] to, int at, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            ShortVector bits = ShortVector.fromMemorySegment(Simd.S, from, offset + 2L * i, Simd.ORDER);
            IntVector wide = (IntVector) bits.convertShape(ZERO_EXTEND_S2I, Simd.I, 0);
            Codes.halves(wide).intoArray(to, at + i);
        }
        return i;
    }

    /** As {@link Codes#halves}, by 2^120; the one magnitude that is not finite is NaN. */
    static int e4m3Vectors(MemorySegment from, long offset, float[] to, int at, int n) {
        int i = 0;
        for (; i <= n - Codes.RUN; i += Codes.RUN) {
            for (int part = 0; part < Codes.RUN / LANES; part++) {
                IntVector wide = Codes.bytes(from, offset + i, part);
                IntVector magnitude = wide.and(0x7f);
                FloatVector value = magnitude.lanewise(LSHL, 20).reinterpretAsFloats().mul(0x1p120f);
                IntVector result = value.reinterpretAsInts().blend(0x7fc00000, magnitude.compare(EQ, 0x7f));
                result.or(wide.and(0x80).lanewise(LSHL, 24)).reinterpretAsFloats()
                        .intoArray(to, at + i + part * LANES);
            }
        }
        return i;
    }

    /** The upper bytes of float16. */
    static int e5m2Vectors(MemorySegment from, long offset, float[] to, int at, int n) {
        int i = 0;
        for (; i <= n - Codes.RUN; i += Codes.RUN) {
            for (int part = 0; part < Codes.RUN / LANES; part++) {
                IntVector wide = Codes.bytes(from, offset + i, part);
                Codes.halves(wide.lanewise(LSHL, 8)).intoArray(to, at + i + part * LANES);
            }
        }
        return i;
    }

    /** Both loops on scraps. */
    static void bothFloat8(MemorySegment stored, float[] to, int n) {
        e4m3Vectors(stored, 0, to, 0, n);
        e5m2Vectors(stored, 0, to, 0, n);
    }
}
