package jdiffusion.kernels.cpu;

import static jdiffusion.kernels.cpu.MicroKernel.MR;
import static jdiffusion.kernels.cpu.MicroKernel.NR;
import static jdiffusion.kernels.cpu.Simd.LANES;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.S2I;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cpu.WarmUp.Group;
import jdiffusion.kernels.machine.Into;
import jdiffusion.kernels.machine.MachinePairs;
import jdiffusion.kernels.machine.MachineStores;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FloatFormat;
import jdiffusion.tensor.Tensor;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/** The way of finished tiles through the epilogue into the output. */
public final class TileStore {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final ValueLayout.OfShort HALF =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Products products;
    private Epilogue epilogue;
    private Tensor out;
    private MachineStores stores;
    private Into into;
    /** Whether the output is in bfloat16. */
    private boolean rounds;
    /** Whether machine code does the activation: of all numbers, wherever their tile ends. */
    private boolean codeActivates;
    private int rowsPerGate;

    public TileStore(Cpu cpu) {
        products = cpu.products();
    }

    public void begin(Epilogue nextEpilogue, Tensor nextOut) {
        epilogue = nextEpilogue;
        out = nextOut;
        stores = products.stores();
        Tensor gate = epilogue.gate();
        rounds = out.type() == DType.BF16;
        into = rounds && into(epilogue) == Into.STORE ? Into.ROUND : into(epilogue);
        codeActivates = products.inPairs() && LANES == MachinePairs.SIDE
                && MachinePairs.activates(epilogue.activation());
        rowsPerGate = gate == null ? 0 : out.rows() / gate.rows();
    }

    static Into into(Epilogue epilogue) {
        return switch (epilogue.mode()) {
            case STORE -> Into.STORE;
            case ADD -> epilogue.gate() == null ? Into.ADD : Into.GATED_ADD;
            case MULTIPLY -> Into.MULTIPLY;
        };
    }

    public void end() {
        epilogue = null;
        out = null;
    }

    /** Stores {@code cols} columns of {@code rows} rows, given as tiles [MR][width] side by side. */
    void panel(float[] tiles, int at, int width, int row, int rows, int column, int cols) {
        for (int c = 0; c < cols; c += width) {
            rows(tiles, at + c * MR, width, row, rows, 1, column + c, Math.min(width, cols - c));
        }
    }

    /**
     * Stores {@code n} columns of rows of {@code width} sums that follow each other; what is in the tile is lost.
     *
     * @param row   of the output
     * @param count rows, so few that it takes some microseconds
     * @param apart rows of the output from one to the next
     */
    public void rows(float[] tile, int at, int width, int row, int count, int apart, int column, int n) {
        boolean whole = stores != null && width == NR && n == NR && (!rounds || into == Into.ROUND && stores.rounds());
        Activation activation = epilogue.activation();
        if (!codeActivates) {
            int together = n == width ? count : 1;
            for (int r = 0; r < count && activation != Activation.NONE; r += together) {
                Pointwise.activate(activation, tile, at + r * width, together * n);
            }
            activation = Activation.NONE;
        } else if (!whole) {
            products.pairs().activate(activation, tile, at, count * width);
        }
        Tensor gate = epilogue.gate();
        int run;
        for (int r = 0; r < count; r += run) {
            int to = row + r * apart;
            run = !whole ? 1 : gate == null ? count : Math.min(count - r,
                    Math.ceilDiv(rowsPerGate - to % rowsPerGate, apart));
            MemorySegment gates = gate == null ? null : gate.data();
            long gateOffset = gate == null ? 0 : gate.rowOffset(to / rowsPerGate) + 4L * column;
            long offset = out.rowOffset(to) + (long) out.type().bytes() * column;
            if (whole) {
                stores.store(into, activation, tile, at + r * width, run, gates, gateOffset, out.data(), offset,
                        apart * out.rowOffset(1));
            } else if (rounds) {
                roundedRow(tile, at + r * width, n, offset, gates, gateOffset);
            } else {
                row(tile, at + r * width, n, out.data(), offset, gates, gateOffset);
            }
        }
    }

    private void roundedRow(float[] tile, int at, int n, long offset, MemorySegment gate, long gateOffset) {
        Epilogue.Mode mode = epilogue.mode();
        boolean inVectors = mode != Epilogue.Mode.STORE && gate == null && Group.STORE.ready();
        for (int i = inVectors ? wordVectors(mode, tile, at, n, out.data(), offset) : 0;
                i < n && mode != Epilogue.Mode.STORE; i++) {
            float old = FloatFormat.bf16ToFloat(out.data().get(HALF, offset + 2L * i));
            tile[at + i] = joined(mode, old, tile[at + i], gate, gateOffset + 4L * i);
        }
        Narrow.run(tile, at, out.data(), DType.BF16, offset, n);
    }

    private void row(float[] tile, int at, int n, MemorySegment to, long offset, MemorySegment gate, long gateOffset) {
        Epilogue.Mode mode = epilogue.mode();
        boolean gated = gate != null;
        int i = 0;
        if (Group.STORE.ready()) {
            i = vectors(mode, tile, at, n, to, offset, gated, gated ? gate : to, gateOffset);
        }
        for (; i < n; i++) {
            float y = tile[at + i];
            if (mode != Epilogue.Mode.STORE) {
                y = joined(mode, to.get(FLOAT, offset + 4L * i), y, gate, gateOffset + 4L * i);
            }
            to.set(FLOAT, offset + 4L * i, y);
        }
    }

    /** @param gate null for 1 */
    private static float joined(Epilogue.Mode mode, float old, float y, MemorySegment gate, long gateOffset) {
        float gated = gate == null ? y : y * gate.get(FLOAT, gateOffset);
        return mode == Epilogue.Mode.ADD ? old + gated : old * gated;
    }

    /** Runs all there is to compile in {@link #vectors}. */
    static void everyMode(float[] tile, int n, MemorySegment to) {
        vectors(Epilogue.Mode.STORE, tile, 0, n, to, 0, false, to, 0);
        vectors(Epilogue.Mode.ADD, tile, 0, n, to, 0, false, to, 0);
        vectors(Epilogue.Mode.ADD, tile, 0, n, to, 0, true, to, 0);
        vectors(Epilogue.Mode.MULTIPLY, tile, 0, n, to, 0, false, to, 0);
        wordVectors(Epilogue.Mode.ADD, tile, 0, n, to, 0);
        wordVectors(Epilogue.Mode.MULTIPLY, tile, 0, n, to, 0);
    }

    /**
     * Joins whole vectors of a run of sums with an output in bfloat16, without storing them, and returns how many
     * elements that was.
     */
    static int wordVectors(Epilogue.Mode mode, float[] tile, int at, int n, MemorySegment from, long offset) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            ShortVector words = ShortVector.fromMemorySegment(Simd.S, from, offset + 2L * i, Simd.ORDER);
            IntVector bits = ((IntVector) words.convertShape(S2I, Simd.I, 0)).lanewise(LSHL, 16);
            FloatVector old = bits.reinterpretAsFloats();
            FloatVector y = FloatVector.fromArray(Simd.F, tile, at + i);
            (mode == Epilogue.Mode.ADD ? old.add(y) : old.mul(y)).intoArray(tile, at + i);
        }
        return i;
    }

    /** Does the whole vectors of a run and returns how many elements that was. */
    static int vectors(Epilogue.Mode mode, float[] tile, int at, int n, MemorySegment to, long offset, boolean gated,
                       MemorySegment gate, long gateOffset) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            FloatVector y = FloatVector.fromArray(Simd.F, tile, at + i);
            if (mode != Epilogue.Mode.STORE) {
                FloatVector old = FloatVector.fromMemorySegment(Simd.F, to, offset + 4L * i, Simd.ORDER);
                if (gated) {
                    y = y.mul(FloatVector.fromMemorySegment(Simd.F, gate, gateOffset + 4L * i, Simd.ORDER));
                }
                y = mode == Epilogue.Mode.ADD ? old.add(y) : old.mul(y);
            }
            y.intoMemorySegment(to, offset + 4L * i, Simd.ORDER);
        }
        return i;
    }
}
