package jdiffusion.model.sampling;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Standard normal numbers, bit for bit those of {@code torch.randn(n, generator=g)} in float32 with
 * {@code g = torch.Generator("cpu").manual_seed(seed)} on a machine with AVX2.
 *
 * <p>One call is one {@code torch.randn}: its length decides how the numbers are made, so two calls for 8 numbers
 * give others than one call for 16. From 16 numbers on, torch works in float32 on blocks of 16 ({@link BoxMuller})
 * and makes the last 16 anew when the length is no multiple of 16. Below, it draws one number after the other in
 * double precision and keeps the second one of each pair for a later short call; long calls in between neither use
 * nor drop it.
 *
 * <p>The short path takes its functions from {@link StrictMath}, which is the same on every machine. Torch takes
 * them from the C library; both are exact to about one unit in the last place of a double, and a float has 29 bits
 * fewer, so a number can differ from torch's (by one float step) only once in some hundred million.
 *
 * <p>Not for use by several threads at once: the order of the calls is part of the result.
 */
public final class TorchRandom implements RandomNormals {
    private static final float UNIFORM_STEP = 0x1p-24f;
    private static final double UNIFORM_STEP_DOUBLE = 0x1p-53;

    private final MersenneTwister bits;
    private final float[] block = new float[BoxMuller.BLOCK];
    private double kept;
    private boolean hasKept;

    /** Same as {@code torch.Generator("cpu").manual_seed(seed)}: seeds that agree in their low 32 bits are the same. */
    public TorchRandom(long seed) {
        bits = new MersenneTwister(seed);
    }

    /** Fills {@code out} like {@code torch.randn(out.length)}. */
    @Override
    public void normals(float[] out) {
        normals(MemorySegment.ofArray(out));
    }

    /**
     * Fills {@code out}, native-order float32, like {@code torch.randn} of that many numbers.
     *
     * @throws IllegalArgumentException if the size of {@code out} is no multiple of 4 bytes
     */
    public void normals(MemorySegment out) {
        if (out.byteSize() % Float.BYTES != 0) {
            throw new IllegalArgumentException("a segment of " + out.byteSize() + " bytes is no array of floats");
        }
        long count = out.byteSize() / Float.BYTES;
        if (count < BoxMuller.BLOCK) {
            for (long i = 0; i < count; i++) {
                out.setAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i, (float) nextNormal());
            }
            return;
        }
        long rest = count % BoxMuller.BLOCK;
        for (long i = 0; i < count - rest; i += BoxMuller.BLOCK) {
            fillBlock(out, i);
        }
        if (rest != 0) {
            // Torch draws a number for every place before it overwrites the last 16.
            for (long i = 0; i < rest; i++) {
                bits.nextInt();
            }
            fillBlock(out, count - BoxMuller.BLOCK);
        }
    }

    private void fillBlock(MemorySegment out, long index) {
        for (int i = 0; i < block.length; i++) {
            block[i] = (bits.nextInt() & 0xffffff) * UNIFORM_STEP;
        }
        BoxMuller.transform(block);
        MemorySegment.copy(block, 0, out, ValueLayout.JAVA_FLOAT_UNALIGNED, index * Float.BYTES, block.length);
    }

    private double nextNormal() {
        if (hasKept) {
            hasKept = false;
            return kept;
        }
        double angle = 2 * Math.PI * nextUniform();
        double radius = Math.sqrt(-2 * StrictMath.log1p(-nextUniform()));
        kept = radius * StrictMath.sin(angle) + 0.0;
        hasKept = true;
        return radius * StrictMath.cos(angle) + 0.0;
    }

    /** 53 random bits in [0, 1); the first 32 drawn are the upper half of the 64 that torch masks. */
    private double nextUniform() {
        long high = bits.nextInt() & 0x1fffffL;
        return (high << 32 | bits.nextInt() & 0xffffffffL) * UNIFORM_STEP_DOUBLE;
    }
}
