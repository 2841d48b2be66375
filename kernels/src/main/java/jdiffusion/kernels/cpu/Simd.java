package jdiffusion.kernels.cpu;

import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * The vector width that all CPU kernels use, chosen once: the machine's preferred one, or what the system property
 * {@code jdiffusion.vectorBits} (128, 256 or 512) forces, so that tests run every width on one machine.
 *
 * <p>Of a vector that a loop changes, C2 knows no more than the abstract class: a call on it stays a call, and vectors
 * are allocated, unless a profile happens to say what it always is. So loops call methods of what they have just read
 * or computed, {@code read.add(sum)} and not {@code sum.add(read)}.
 */
public final class Simd {
    public static final int BITS = bits();
    public static final VectorSpecies<Float> F = VectorSpecies.of(float.class, VectorShape.forBitSize(BITS));
    public static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, VectorShape.forBitSize(BITS));
    /** As many 16-bit lanes as {@link #F} has floats. */
    public static final VectorSpecies<Short> S = VectorSpecies.of(short.class, VectorShape.forBitSize(BITS / 2));
    /** Float lanes of a vector. */
    public static final int LANES = F.length();
    public static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

    private Simd() {
    }

    private static int bits() {
        String forced = System.getProperty("jdiffusion.vectorBits");
        if (forced == null) {
            return Math.clamp(FloatVector.SPECIES_PREFERRED.vectorBitSize(), 128, 512);
        }
        return switch (forced) {
            case "128", "256", "512" -> Integer.parseInt(forced);
            default -> throw new IllegalArgumentException(
                    "jdiffusion.vectorBits is " + forced + "; it can be 128, 256 or 512");
        };
    }
}
