package jdiffusion.kernels.cpu;

import static jdiffusion.kernels.machine.AmxPanels.BLOCK_BYTES;
import static jdiffusion.kernels.machine.AmxPanels.SIDE;
import static jdiffusion.kernels.machine.AmxPanels.SUMS_ROW_BYTES;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.machine.Ahead;
import jdiffusion.kernels.machine.AmxPanels;
import jdiffusion.kernels.machine.Beside;
import jdiffusion.kernels.machine.Into;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/**
 * The way of sums on tiles through bias and epilogue into the output: whole blocks of columns at once where that is all
 * they need, else through an array and {@link TileStore}.
 */
public final class AmxStore {
    /** Floats of a panel's bias, and behind it of its gate. */
    private static final int VECTOR = AmxGemm.PANEL_BLOCKS * SIDE;

    private final Cpu cpu;
    private final TileStore others;
    private float[] bias;
    private int n;
    private Epilogue epilogue;
    private Activation activation;
    private Into into;
    private Tensor out;
    /** Whether machine code does all of it where blocks are whole. */
    private boolean direct;
    private int rowsPerGate;

    public AmxStore(Cpu cpu) {
        this.cpu = cpu;
        others = new TileStore(cpu);
    }

    /** @param biasVector [columns], or null */
    public void begin(Tensor biasVector, int columns, Epilogue how, Tensor to) {
        n = columns;
        epilogue = how;
        out = to;
        bias(biasVector);
        boolean activates = AmxPanels.activates(epilogue.activation());
        activation = activates ? epilogue.activation() : Activation.NONE;
        boolean rounds = out.type() == DType.BF16;
        into = rounds ? Into.ROUND : TileStore.into(epilogue);
        direct = activates && (!rounds || epilogue.mode() == Epilogue.Mode.STORE);
        rowsPerGate = epilogue.gate() == null ? 0 : out.rows() / epilogue.gate().rows();
        // A row's activation must not depend on where its block ends, so all rows get it from the same code.
        others.begin(activates ? epilogue.withoutActivation() : epilogue, out);
    }

    /** Goes on with another bias, [columns] or null. */
    public void bias(Tensor vector) {
        int padded = Math.ceilDiv(n, SIDE) * SIDE;
        bias = cpu.shared(Buffer.ROW, padded);
        Arrays.fill(bias, 0, padded, 0f);
        if (vector != null) {
            Widen.vector(vector, bias);
        }
    }

    public void end() {
        others.end();
        epilogue = null;
        out = null;
    }

    /** To be called before {@link #rows} for rows of other columns than before, from {@code column} on. */
    public void beginPanel(int column, int worker) {
        MemorySegment vectors = vectors(worker);
        MemorySegment.copy(bias, column, vectors, Narrow.FLOAT, 0, Math.min(VECTOR, bias(column)));
    }

    private int bias(int column) {
        return Math.ceilDiv(n, SIDE) * SIDE - column;
    }

    private MemorySegment vectors(int worker) {
        return cpu.localMemory(worker, Buffer.STATISTICS, 2L * VECTOR * Float.BYTES);
    }

    /** Has the rows of the output that 32 rows of sums will go to brought into the cache; parameters as of rows. */
    public Beside ahead(Ahead to, int row, int apart, int column) {
        to.toWrite(out.data(), out.rowOffset(row) + (long) out.type().bytes() * column, apart * out.rowOffset(1));
        return out.type() == DType.BF16 ? Beside.HALVES : Beside.FLOATS;
    }

    /**
     * Stores rows of the same block.
     *
     * @param at     of the first row: see {@link AmxPanels#finish}
     * @param row    of the output
     * @param apart  rows of the output from one to the next
     * @param widths blocks of columns, from {@code column} on
     */
    public void rows(MemorySegment sums, long at, int row, int apart, int count, int column, int widths, int worker) {
        int whole = direct ? Math.min(widths, (n - column) / SIDE) : 0;
        int run;
        for (int r = 0; r < count && whole > 0; r += run) {
            int to = row + r * apart;
            run = count - r;
            if (into == Into.GATED_ADD) {
                run = Math.min(run, Math.ceilDiv(rowsPerGate - to % rowsPerGate, apart));
                Tensor gate = epilogue.gate();
                MemorySegment.copy(gate.data(), gate.rowOffset(to / rowsPerGate) + (long) Float.BYTES * column,
                        vectors(worker), (long) Float.BYTES * VECTOR, (long) Float.BYTES * whole * SIDE);
            }
            cpu.products().amx().finish(into, activation, sums, at + (long) r * SUMS_ROW_BYTES, run, whole,
                    vectors(worker), (long) Float.BYTES * VECTOR, out.data(),
                    out.rowOffset(to) + (long) out.type().bytes() * column, apart * out.rowOffset(1));
        }
        if (whole < widths) {
            through(sums, at + (long) whole * BLOCK_BYTES, row, apart, count, column, whole, widths, worker);
        }
    }

    private void through(MemorySegment sums, long at, int row, int apart, int count, int column, int first, int widths,
                         int worker) {
        int width = (widths - first) * SIDE;
        int from = column + first * SIDE;
        float[] rows = cpu.local(worker, Buffer.SUMS, SIDE * width);
        MemorySegment vectors = cpu.localMemory(worker, Buffer.STATISTICS, 2L * VECTOR * Float.BYTES)
                .asSlice((long) Float.BYTES * first * SIDE);
        cpu.products().amx().finish(Into.STORE, activation, sums, at, count, widths - first, vectors, 0,
                MemorySegment.ofArray(rows), 0, (long) Float.BYTES * width);
        others.rows(rows, 0, width, row, count, apart, from, Math.min(width, n - from));
    }
}
