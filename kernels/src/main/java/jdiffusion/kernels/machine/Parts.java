package jdiffusion.kernels.machine;

import java.util.ArrayList;
import java.util.List;

/**
 * Of how many bfloat16 numbers each number of the two factors of a product is the sum: the first is the number rounded,
 * every further one what is left, rounded (Henry, Tang and Heinecke, 2019, "Leveraging the bfloat16 artificial
 * intelligence datatype for higher-precision computations"). Part i is about 2^(-8 i) of the number.
 *
 * @param left  1 to {@link #MOST}
 * @param right 1 to {@code left}: fewer where the right factor has no more bits
 */
public record Parts(int left, int right) {
    /** As many as hold all bits of a float32. */
    public static final int MOST = 3;
    /** Numbers of bfloat16 themselves. */
    public static final Parts ONE = new Parts(1, 1);
    /** Significant bits of a part. */
    private static final int BITS = 8;

    public Parts {
        if (left < 1 || left > MOST || right < 1 || right > left) {
            throw new IllegalArgumentException(left + " parts of left numbers, " + right + " of right ones");
        }
    }

    /** Two parts that are multiplied. */
    record Term(int left, int right) {
    }

    /**
     * @param left of left numbers
     * @param bits significant bits that right numbers have at most
     */
    public static Parts of(int left, int bits) {
        return new Parts(left, Math.min(left, Math.ceilDiv(bits, BITS)));
    }

    /**
     * The products of parts that are summed: all whose size, counted in parts, is within that of {@code left} parts.
     * From one to the next only one factor changes, so that few operands are loaded, and where that costs nothing
     * smaller ones come first.
     */
    List<Term> terms() {
        List<Term> terms = new ArrayList<>();
        int part = 0;
        for (int i = left - 1; i >= 0; i--) {
            int count = Math.min(right, left - i);
            int first = part;
            for (int j = 0; j < count; j++) {
                part = (first + j) % count;
                terms.add(new Term(i, part));
            }
        }
        return terms;
    }

    /** Bytes of a left row in a step: [part][32 numbers]. */
    public int rowStepBytes() {
        return left * AmxPanels.ROW_STEP_BYTES;
    }

    /** Bytes of a right row in a step, before it is packed. */
    public int rightRowStepBytes() {
        return right * AmxPanels.ROW_STEP_BYTES;
    }

    /** Bytes of a panel's block of columns in a step: [part][left, right]. */
    public int stepBytes() {
        return right * AmxPanels.STEP_BYTES;
    }
}
