package jdiffusion.kernels.machine;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;
import jdiffusion.kernels.Activation;

/**
 * Matrix products on AMX's tiles, in blocks of 32 rows by 32 columns and steps of 32 numbers of bfloat16, with what
 * packs the right factor for them and brings their sums into rows. Left rows are read as they lie. Bounds are checked
 * here, before the code runs; offsets and distances are in bytes.
 *
 * <p>A tile load takes six times as long where its rows cross cache lines. So left rows, panels and sums belong into
 * memory that is aligned to {@link #LINE} bytes, left rows a multiple of that apart.
 */
public final class AmxPanels implements AutoCloseable {
    /** Rows and columns of a block of sums. */
    public static final int SIDE = AmxBlock.SIDE;
    /** Numbers along k of a step. */
    public static final int DEPTH = 32;
    /** Right rows, which are columns of the result, that are packed at a time. */
    public static final int PACKED_ROWS = AmxTiles.TILE;
    /** Bytes of a left row in a step. */
    public static final int ROW_STEP_BYTES = DEPTH * Short.BYTES;
    /** Bytes of a panel's block of columns in a step, and of the half of it that {@link #packColumns} writes. */
    public static final int STEP_BYTES = AmxBlock.STEP_BYTES;
    public static final int HALF_STEP_BYTES = AmxTiles.TILE_BYTES;
    /** Bytes of the sums of a block, and of what belongs to one row of each half. */
    public static final int BLOCK_BYTES = AmxBlock.BYTES;
    public static final int SUMS_ROW_BYTES = AmxTiles.ROW_BYTES;
    /** Bytes of a cache line. */
    public static final int LINE = AmxTiles.ROW_BYTES;
    /** Blocks and steps of one call together, so few that it takes some tens of microseconds at most. */
    public static final int MOST = 512;

    private static final int BESIDES = Beside.values().length;

    private final Function<Consumer<Assembler>, ? extends MachineCall> load;
    private final MachineCall[] products = new MachineCall[2 * BESIDES * Parts.MOST * Parts.MOST];
    private final MachineCall[] splits = new MachineCall[Parts.MOST + 1];
    private final MachineCall packColumns;
    private final MachineCall packRows;
    private final Finishes finishes;
    private final AmxAttention attention;
    private final MemorySegment join = MemorySegment.ofArray(WordCode.join());
    private final MemorySegment splitConstants = AmxSplitCode.constants();
    private final ArraySegments segments = new ArraySegments();

    /**
     * For this CPU.
     *
     * @throws IllegalArgumentException where {@link CpuLevel#AMX} has an obstacle; asking for one asks Linux for tiles,
     *                                  without whose permission a first use of them would end the JVM
     */
    public AmxPanels() {
        this(onThisCpu());
    }

    /** What loads code that uses tiles. */
    static Function<Consumer<Assembler>, ? extends MachineCall> onThisCpu() {
        String obstacle = CpuLevel.AMX.obstacle();
        if (obstacle != null) {
            throw new IllegalArgumentException("no products on tiles: " + obstacle);
        }
        return MachineFunction::new;
    }

    /** @param load makes a function out of what its writer emits */
    AmxPanels(Function<Consumer<Assembler>, ? extends MachineCall> load) {
        this.load = load;
        packColumns = load.apply(AmxPackCode::columns);
        packRows = load.apply(AmxPackCode::rows);
        finishes = new Finishes((into, activation) -> load.apply(new AmxFinishCode(into, activation)::write));
        attention = new AmxAttention(load);
    }

    /**
     * Packs {@link #PACKED_ROWS} rows as columns of a panel: {@code 32 * steps} numbers of each, bfloat16.
     *
     * @param offset of the first row
     * @param stride distance of the rows
     * @param at     the first step of the rows' block, or {@link #HALF_STEP_BYTES} later for the second half of it
     */
    public void packColumns(MemorySegment rows, long offset, long stride, int steps, MemorySegment to, long at) {
        requireCount(1, steps);
        requireRows(rows, offset, stride, PACKED_ROWS, (long) steps * ROW_STEP_BYTES);
        Objects.checkFromIndexSize(at, (long) steps * STEP_BYTES - HALF_STEP_BYTES, to.byteSize());
        packColumns.call(rows, offset, MemorySegment.NULL, 0, to, at, steps, stride, 0);
    }

    /**
     * Packs {@link #DEPTH} rows of {@code 32 * blocks} numbers, bfloat16, as a step of as many blocks of a panel.
     *
     * @param apart distance of the same step of two blocks
     */
    public void packRows(MemorySegment rows, long offset, long stride, int blocks, MemorySegment to, long at,
                         long apart) {
        requireCount(blocks, 1);
        requireRows(rows, offset, stride, DEPTH, (long) blocks * ROW_STEP_BYTES);
        requireRows(to, at, apart, blocks, STEP_BYTES);
        packRows.call(rows, offset, join, 0, to, at, blocks, stride, apart);
    }

    /**
     * Splits rows of {@code 32 * steps} numbers, float32, into rows [step][part][{@link #DEPTH}] of bfloat16, which are
     * left rows as they lie, or packed by {@link #packColumns} as {@code parts * steps} steps.
     *
     * @param parts  of each number, 2 or more; see {@link Parts}
     * @param offset of the first row
     * @param stride distance of the rows
     * @param apart  distance of the rows that are written
     */
    public void split(int parts, MemorySegment rows, long offset, long stride, int count, int steps, MemorySegment to,
                      long at, long apart) {
        if (count == 0) {
            return;
        }
        if (steps < 1) {
            throw new IllegalArgumentException(steps + " steps");
        }
        requireRows(rows, offset, stride, count, 2L * steps * ROW_STEP_BYTES);
        requireOutput(to, at, apart, count, (long) parts * steps * ROW_STEP_BYTES);
        split(parts).call(rows, offset, splitConstants, 0, to, at, steps, stride, count, apart, 0, 0, 0);
    }

    /** The same of one row in an array. */
    public void split(int parts, float[] row, int offset, int steps, MemorySegment to, long at) {
        split(parts, segments.of(row), (long) Float.BYTES * offset, 0, 1, steps, to, at, 0);
    }

    private MachineCall split(int parts) {
        MachineCall made = splits[parts];
        return made != null ? made : make(splits, parts, new AmxSplitCode(parts)::write);
    }

    /** To be called when arrays that were used go out of use, so that they can be collected. */
    public void forgetArrays() {
        segments.clear();
    }

    /**
     * Sums of {@link #SIDE} left rows with each block of a panel's columns.
     *
     * @param fresh  whether sums begin at 0, not at what is there
     * @param parts  of the numbers of both factors
     * @param left   bfloat16 [steps][part][{@link #DEPTH}]; from {@code offset} on rows {@code stride} apart
     * @param steps  of {@link #DEPTH} numbers along k
     * @param panel  [blocks][steps][part][{@link #STEP_BYTES}] from {@code panelAt} on
     * @param sums   [blocks][{@link #BLOCK_BYTES}] from {@code sumsAt} on
     * @param beside what {@code ahead} has as rows to be written
     */
    public void multiply(boolean fresh, Parts parts, MemorySegment left, long offset, long stride, int steps,
                         MemorySegment panel, long panelAt, int blocks, MemorySegment sums, long sumsAt, Beside beside,
                         Ahead ahead) {
        requireCount(blocks, steps);
        requireRows(left, offset, stride, SIDE, (long) steps * parts.rowStepBytes());
        Objects.checkFromIndexSize(panelAt, (long) blocks * steps * parts.stepBytes(), panel.byteSize());
        Objects.checkFromIndexSize(sumsAt, (long) blocks * BLOCK_BYTES, sums.byteSize());
        product(fresh, beside, parts).call(left, offset, panel, panelAt, sums, sumsAt, steps, stride, blocks,
                ahead.read(), ahead.readStride(), ahead.write(), ahead.writeStride());
    }

    /** Made when first needed; fields of a call are final, so every thread that sees one sees it whole. */
    private MachineCall product(boolean fresh, Beside beside, Parts parts) {
        int i = ((parts.left() - 1) * Parts.MOST + parts.right() - 1) * 2 * BESIDES
                + 2 * beside.ordinal() + (fresh ? 1 : 0);
        MachineCall made = products[i];
        return made != null ? made : make(products, i, new AmxPanelCode(fresh, beside, parts)::write);
    }

    private synchronized MachineCall make(MachineCall[] calls, int i, Consumer<Assembler> code) {
        if (calls[i] == null) {
            calls[i] = load.apply(code);
        }
        return calls[i];
    }

    /** Whether {@link #finish} knows an activation. */
    public static boolean activates(Activation activation) {
        return ActivationCode.has(activation);
    }

    /**
     * Brings rows of sums into the output.
     *
     * @param activation one that it {@link #activates}, of a sum and its bias
     * @param sums       of the first row in its block: [blocks][{@link #BLOCK_BYTES}], and {@link #SUMS_ROW_BYTES} for
     *                   each row from there on
     * @param rows       of the same block of rows
     * @param vectors    what is added to each row, float32 [32 * blocks]
     * @param gate       where in {@code vectors} lies what rows are multiplied by with {@link Into#GATED_ADD}
     * @param stride     distance of the output's rows
     */
    public void finish(Into into, Activation activation, MemorySegment sums, long sumsAt, int rows, int blocks,
                       MemorySegment vectors, long gate, MemorySegment out, long offset, long stride) {
        requireCount(blocks, 1);
        requireCount(rows, 1);
        long row = (long) blocks * SIDE * Float.BYTES;
        Objects.checkFromIndexSize(sumsAt,
                (blocks - 1L) * BLOCK_BYTES + AmxBlock.HALF_BYTES + (long) rows * SUMS_ROW_BYTES, sums.byteSize());
        Objects.checkFromIndexSize(0, row, vectors.byteSize());
        if (into == Into.GATED_ADD) {
            Objects.checkFromIndexSize(gate, row, vectors.byteSize());
        }
        requireOutput(out, offset, stride, rows, into == Into.ROUND ? row / 2 : row);
        finishes.of(into, activation).call(sums, sumsAt, vectors, 0, out, offset, blocks, stride, rows, gate, 0, 0, 0);
    }

    /** Attention by the same tiles. */
    public AmxAttention attention() {
        return attention;
    }

    private static void requireCount(int blocks, int steps) {
        if (blocks < 1 || steps < 1 || (long) blocks * steps > MOST) {
            throw new IllegalArgumentException(blocks + " blocks of " + steps + " steps");
        }
    }

    static void requireRows(MemorySegment data, long offset, long stride, int rows, long bytes) {
        if (stride < 0) {
            throw new IllegalArgumentException("rows " + stride + " apart");
        }
        Objects.checkFromIndexSize(offset, Math.addExact(Math.multiplyExact(rows - 1L, stride), bytes),
                data.byteSize());
    }

    static void requireOutput(MemorySegment out, long offset, long stride, int rows, long bytes) {
        requireRows(out, offset, stride, rows, bytes);
        if (out.isReadOnly()) {
            throw new IllegalArgumentException("rows go to memory that is read-only: " + out);
        }
    }

    @Override
    public synchronized void close() {
        Stream.concat(Arrays.stream(products), Arrays.stream(splits)).filter(Objects::nonNull)
                .forEach(MachineCall::close);
        packColumns.close();
        packRows.close();
        finishes.close();
        attention.close();
    }
}
