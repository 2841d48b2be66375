package jdiffusion.kernels.machine;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Function;
import jdiffusion.kernels.Activation;

/**
 * The way of finished sums into the output in machine code with AVX-512. Bounds are checked here, before the code runs;
 * a call takes some microseconds.
 */
public final class MachineStores implements AutoCloseable {
    private static final int WORD = Float.BYTES;

    private final int columns;
    private final boolean rounds;
    private final Finishes finishes;
    private final ArraySegments segments = new ArraySegments();

    /**
     * Only where {@link CpuLevel#AVX512} has no obstacle.
     *
     * @param columns of a row of sums, such as it {@link #takes}
     * @param bf16    whether the CPU has AVX512_BF16
     */
    public MachineStores(int columns, boolean bf16) {
        this(columns, bf16, MachineFunction::new);
    }

    /** @param load makes a function out of what its writer emits */
    MachineStores(int columns, boolean bf16, Function<Consumer<Assembler>, ? extends MachineCall> load) {
        if (!takes(columns)) {
            throw new IllegalArgumentException("rows of " + columns + " sums");
        }
        this.columns = columns;
        rounds = bf16 && columns % (2 * StoreCode.LANES) == 0;
        finishes = new Finishes((into, activation) -> load.apply(new StoreCode(columns, into, activation)::write));
    }

    /** Whether there is code for rows of so many sums. */
    public static boolean takes(int columns) {
        return columns > 0 && columns % StoreCode.LANES == 0 && columns <= StoreCode.MOST_COLUMNS;
    }

    /** Whether {@link #store} knows {@link Into#ROUND}. */
    public boolean rounds() {
        return rounds;
    }

    /** Whether {@link #store} knows an activation. */
    public static boolean activates(Activation activation) {
        return ActivationCode.has(activation);
    }

    /**
     * Brings rows of sums into the output.
     *
     * @param activation of the sums, first; one that {@link #activates}
     * @param sums       [rows][columns]
     * @param gate       float32 that each row is multiplied by, with {@link Into#GATED_ADD}; else null
     * @param gateOffset in bytes
     * @param offset     in bytes, of the first row
     * @param stride     distance of the rows in bytes
     */
    public void store(Into into, Activation activation, float[] sums, int at, int rows, MemorySegment gate,
                      long gateOffset, MemorySegment out, long offset, long stride) {
        if (rows < 0 || stride < 0 || (into == Into.GATED_ADD) != (gate != null) || into == Into.ROUND && !rounds) {
            throw new IllegalArgumentException(into + " of " + rows + " rows, " + stride + " bytes apart, gate "
                    + gate);
        }
        if (rows == 0) {
            return;
        }
        long row = (long) (into == Into.ROUND ? WORD / 2 : WORD) * columns;
        Objects.checkFromIndexSize(at, (long) rows * columns, sums.length);
        Objects.checkFromIndexSize(offset, Math.addExact(Math.multiplyExact(rows - 1L, stride), row), out.byteSize());
        if (gate != null) {
            Objects.checkFromIndexSize(gateOffset, row, gate.byteSize());
        }
        if (out.isReadOnly()) {
            throw new IllegalArgumentException("rows go to memory that is read-only: " + out);
        }
        finishes.of(into, activation).call(segments.of(sums), (long) WORD * at,
                gate == null ? MemorySegment.NULL : gate, gateOffset, out, offset, 0, stride, rows);
    }

    /** To be called when arrays that were used go out of use, so that they can be collected. */
    public void forgetArrays() {
        segments.clear();
    }

    @Override
    public void close() {
        finishes.close();
    }
}
