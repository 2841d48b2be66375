package jdiffusion.kernels.machine;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Function;
import jdiffusion.kernels.Activation;

/**
 * Matrix products on AMX's tiles, in blocks of 32 rows by 32 columns and steps of 32 numbers of bfloat16, with what
 * packs operands for them and brings their sums back into rows. Bounds are checked here, before the code runs.
 *
 * <p>A block is [right rows][left rows], the transpose of the result: rows of the right factor, the weights, are then
 * AMX's first operand, which takes them as they lie in memory.
 */
public final class AmxProducts implements AutoCloseable {
    /** Rows and columns of a block of sums. */
    public static final int SIDE = 2 * AmxCode.TILE;
    /** Numbers along k of a step. */
    public static final int DEPTH = 32;
    /** Left rows that are packed at a time. */
    public static final int PACKED_ROWS = AmxCode.TILE;
    /** Floats of the sums of a block. */
    public static final int BLOCK_FLOATS = SIDE * SIDE;
    /** Words of packed left rows, for a block and a step. */
    public static final int STEP_WORDS = SIDE * DEPTH / 2;
    /** Blocks and steps of one call together, so few that it takes some tens of microseconds at most. */
    public static final int MOST = 512;
    private static final int WORD = 4;
    private static final int WORDS = DEPTH / 2;
    private static final int HALF = 2;

    private final MachineCall first;
    private final MachineCall next;
    private final MachineCall pack;
    private final MachineCall round;
    private final MachineCall freshRows;
    private final MachineCall addedRows;
    private final int columns;
    private final Finishes unpack;
    private final ArraySegments segments = new ArraySegments();

    /**
     * Only where {@link CpuLevel#AMX} has no obstacle.
     *
     * @param columns of products of rows, a multiple of {@link #SIDE}
     */
    public AmxProducts(int columns) {
        this(columns, MachineFunction::new);
    }

    /** @param load makes a function out of what its writer emits */
    AmxProducts(int columns, Function<Consumer<Assembler>, ? extends MachineCall> load) {
        if (columns <= 0 || columns % SIDE != 0) {
            throw new IllegalArgumentException("tiles of " + columns + " columns");
        }
        this.columns = columns;
        freshRows = load.apply(new AmxBlockCode(columns, true)::write);
        addedRows = load.apply(new AmxBlockCode(columns, false)::write);
        first = load.apply(AmxCode::first);
        next = load.apply(AmxCode::next);
        pack = load.apply(AmxLayoutCode::pack);
        round = load.apply(RoundCode::pairs);
        unpack = new Finishes((into, activation) -> load.apply(x -> AmxLayoutCode.unpack(x, into, activation)));
    }

    /**
     * Packs {@link #PACKED_ROWS} rows of float32 as one half of a block's: {@code 32 * steps} numbers of each, rounded
     * to bfloat16.
     *
     * @param offset in bytes, of the first row
     * @param stride distance of the rows in bytes
     * @param toAt   the block's first word, or half a step, 256 words, later for the second half
     */
    public void pack(MemorySegment rows, long offset, long stride, int steps, float[] to, int toAt) {
        requireCount(1, steps);
        requireStride(stride);
        long bytes = Math.addExact(Math.multiplyExact(PACKED_ROWS - 1L, stride), (long) WORD * steps * DEPTH);
        Objects.checkFromIndexSize(offset, bytes, rows.byteSize());
        Objects.checkFromIndexSize(toAt, (long) steps * STEP_WORDS - STEP_WORDS / 2, to.length);
        pack.call(rows, offset, MemorySegment.NULL, 0, segments.of(to), (long) WORD * toAt, steps, stride, 0);
    }

    /** The same from an array; {@code at} and {@code stride} count floats. */
    public void pack(float[] rows, int at, int stride, int steps, float[] to, int toAt) {
        pack(segments.of(rows), (long) WORD * at, (long) WORD * stride, steps, to, toAt);
    }

    /**
     * Sums of {@code blocks} blocks: those of {@link #SIDE} right rows with each block of left rows.
     *
     * @param fresh       whether sums begin at 0, not at what is there
     * @param right       bfloat16
     * @param rightOffset in bytes, of the first right row
     * @param rightStride distance of right rows in bytes
     * @param steps       of {@link #DEPTH} numbers along k
     * @param left        packed left rows [blocks][steps][{@link #STEP_WORDS}]
     * @param sums        [blocks][{@link #BLOCK_FLOATS}]
     */
    public void multiply(boolean fresh, MemorySegment right, long rightOffset, long rightStride, int steps,
                         float[] left, int leftAt, int blocks, float[] sums, int sumsAt) {
        requireCount(blocks, steps);
        requireStride(rightStride);
        long rightBytes = Math.addExact(Math.multiplyExact(SIDE - 1L, rightStride), (long) steps * DEPTH * HALF);
        Objects.checkFromIndexSize(rightOffset, rightBytes, right.byteSize());
        Objects.checkFromIndexSize(leftAt, (long) blocks * steps * STEP_WORDS, left.length);
        Objects.checkFromIndexSize(sumsAt, (long) blocks * BLOCK_FLOATS, sums.length);
        (fresh ? first : next).call(right, rightOffset, segments.of(left), (long) WORD * leftAt, segments.of(sums),
                (long) WORD * sumsAt, steps, rightStride, blocks);
    }

    /** The same with right rows in an array; {@code rightAt} and {@code rightStride} count words. */
    public void multiply(boolean fresh, float[] right, int rightAt, int rightStride, int steps, float[] left,
                         int leftAt, int blocks, float[] sums, int sumsAt) {
        multiply(fresh, segments.of(right), (long) WORD * rightAt, (long) WORD * rightStride, steps, left, leftAt,
                blocks, sums, sumsAt);
    }

    /**
     * Sums become rows of {@link #SIDE} numbers, one for each left row.
     *
     * @param activation one that {@link #activates}
     * @param vectors    what is added to each row first, and with {@link Into#GATED_ADD} behind it what the rows are
     *                   multiplied by last: {@link #SIDE} numbers each
     * @param offset     in bytes, of the first row
     * @param stride     distance of rows in bytes
     */
    public void unpack(Into into, Activation activation, float[] sums, int sumsAt, int blocks, float[] vectors,
                       MemorySegment out, long offset, long stride) {
        requireCount(blocks, 1);
        requireStride(stride);
        int needed = into == Into.GATED_ADD ? 2 * SIDE : SIDE;
        Objects.checkFromIndexSize(sumsAt, (long) blocks * BLOCK_FLOATS, sums.length);
        Objects.checkFromIndexSize(0, needed, vectors.length);
        long bytes = Math.addExact(Math.multiplyExact((long) blocks * SIDE - 1, stride), (long) SIDE * WORD);
        Objects.checkFromIndexSize(offset, bytes, out.byteSize());
        if (out.isReadOnly()) {
            throw new IllegalArgumentException("rows go to memory that is read-only: " + out);
        }
        unpack.of(into, activation).call(segments.of(sums), (long) WORD * sumsAt, segments.of(vectors), 0, out, offset,
                0, stride, blocks);
    }

    /** The same into an array, whatever it holds; {@code at} and {@code stride} count floats. */
    public void unpack(Activation activation, float[] sums, int sumsAt, int blocks, float[] vectors, float[] out,
                       int at, int stride) {
        unpack(Into.STORE, activation, sums, sumsAt, blocks, vectors, segments.of(out), (long) WORD * at,
                (long) WORD * stride);
    }

    /** Whether {@link #unpack} knows an activation. */
    public static boolean activates(Activation activation) {
        return ActivationCode.has(activation);
    }

    /**
     * c [rows][columns] = or += A B, on operands in words, as {@link MachineProducts#multiply} has them.
     *
     * @param fresh   whether sums begin at 0, not at what is there
     * @param rows    a multiple of {@link #SIDE}
     * @param k       words of a row, a multiple of 16
     * @param aStride distance of A's rows, not negative
     * @param b       [k][columns]
     */
    public void multiplyRows(boolean fresh, int rows, int k, float[] a, int aOffset, int aStride, float[] b,
                             int bOffset, float[] c, int cOffset) {
        if (rows <= 0 || rows % SIDE != 0 || k % WORDS != 0) {
            throw new IllegalArgumentException(rows + " rows of " + k + " words");
        }
        requireCount(1, k / WORDS);
        requireStride(aStride);
        Objects.checkFromIndexSize(aOffset, (rows - 1L) * aStride + k, a.length);
        Objects.checkFromIndexSize(bOffset, (long) k * columns, b.length);
        Objects.checkFromIndexSize(cOffset, (long) rows * columns, c.length);
        int most = MOST / (k / WORDS) * SIDE;
        for (int row = 0; row < rows; row += most) {
            (fresh ? freshRows : addedRows).call(segments.of(a), (long) WORD * (aOffset + (long) row * aStride),
                    segments.of(b), (long) WORD * bOffset, segments.of(c),
                    (long) WORD * (cOffset + (long) row * columns), k / WORDS, (long) WORD * aStride,
                    Math.min(most, rows - row) / SIDE);
        }
    }

    /** See {@link MachineProducts#roundPairs}. */
    public void roundPairs(float[] from, int at, int words, float[] to, int toAt) {
        MachineProducts.roundPairs(round, segments, from, at, words, to, toAt);
    }

    private static void requireCount(int blocks, int steps) {
        if (blocks < 1 || steps < 1 || (long) blocks * steps > MOST) {
            throw new IllegalArgumentException(blocks + " blocks of " + steps + " steps");
        }
    }

    private static void requireStride(long stride) {
        if (stride < 0) {
            throw new IllegalArgumentException("rows " + stride + " apart");
        }
    }

    /** To be called when arrays that were used go out of use, so that they can be collected. */
    public void forgetArrays() {
        segments.clear();
    }

    @Override
    public void close() {
        first.close();
        next.close();
        pack.close();
        round.close();
        freshRows.close();
        addedRows.close();
        unpack.close();
    }
}
