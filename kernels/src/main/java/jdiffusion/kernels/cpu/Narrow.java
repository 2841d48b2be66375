package jdiffusion.kernels.cpu;

import static jdiffusion.kernels.cpu.Simd.LANES;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.I2S;
import static jdk.incubator.vector.VectorOperators.LSHR;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdiffusion.kernels.cpu.WarmUp.Group;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FloatFormat;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/** Float32 arrays stored as runs of numbers, rounded to nearest even: the way back from {@link Widen}. */
final class Narrow {
    static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Narrow() {
    }

    /**
     * {@code n} values as elements of an activation's type, from byte {@code offset} on.
     *
     * @throws IllegalArgumentException for another type than F32 or BF16
     */
    static void run(float[] from, int at, MemorySegment to, DType type, long offset, int n) {
        switch (type) {
            case F32 -> MemorySegment.copy(from, at, to, FLOAT, offset, n);
            case BF16 -> bf16(from, at, to, offset, n);
            default -> throw new IllegalArgumentException("no kernel writes " + type);
        }
    }

    private static void bf16(float[] from, int at, MemorySegment to, long offset, int n) {
        int i = Group.NARROW.ready() ? bf16Vectors(from, at, to, offset, n) : 0;
        for (; i < n; i++) {
            to.set(SHORT, offset + 2L * i, FloatFormat.floatToBf16(from[at + i]));
        }
    }

    /** Does the whole vectors of a run and returns how many elements that was. */
    static int bf16Vectors(float[] from, int at, MemorySegment to, long offset, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            // As FloatFormat.floatToBf16: a carry from the lower half rounds, and NaN has the top bit of its fraction.
            IntVector bits = FloatVector.fromArray(Simd.F, from, at + i).reinterpretAsInts();
            IntVector upper = bits.lanewise(LSHR, 16);
            IntVector rounded = upper.and(1).add(0x7fff).add(bits).lanewise(LSHR, 16);
            IntVector narrow = rounded.blend(upper.or(0x40), bits.and(0x7fffffff).compare(GT, 0x7f800000));
            ((ShortVector) narrow.convertShape(I2S, Simd.S, 0)).intoMemorySegment(to, offset + 2L * i, Simd.ORDER);
        }
        return i;
    }
}
