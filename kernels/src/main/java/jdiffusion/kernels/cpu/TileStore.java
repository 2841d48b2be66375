package jdiffusion.kernels.cpu;

import static jdiffusion.kernels.cpu.MicroKernel.MR;
import static jdiffusion.kernels.cpu.Simd.LANES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cpu.WarmUp.Group;
import jdiffusion.tensor.Tensor;
import jdk.incubator.vector.FloatVector;

/** The way of finished tiles through the epilogue into the output. */
public final class TileStore {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private Epilogue epilogue;
    private Tensor out;
    private boolean gated;
    private int rowsPerGate;

    public void begin(Epilogue nextEpilogue, Tensor nextOut) {
        epilogue = nextEpilogue;
        out = nextOut;
        gated = nextEpilogue.gate() != null;
        rowsPerGate = gated ? nextOut.rows() / nextEpilogue.gate().rows() : 0;
    }

    public void end() {
        epilogue = null;
        out = null;
    }

    /** Stores {@code cols} columns of {@code rows} rows, given as tiles [MR][width] side by side. */
    void panel(float[] tiles, int at, int width, int row, int rows, int column, int cols) {
        for (int c = 0; c < cols; c += width) {
            for (int r = 0; r < rows; r++) {
                row(tiles, at + c * MR + r * width, row + r, column + c, Math.min(width, cols - c));
            }
        }
    }

    /** Stores {@code n} columns of a row of the output; what is in the tile is lost. */
    public void row(float[] tile, int at, int row, int column, int n) {
        Pointwise.activate(epilogue.activation(), tile, at, n);
        Epilogue.Mode mode = epilogue.mode();
        MemorySegment to = out.data();
        long offset = out.rowOffset(row) + 4L * column;
        MemorySegment gate = gated ? epilogue.gate().data() : to;
        long gateOffset = gated ? epilogue.gate().rowOffset(row / rowsPerGate) + 4L * column : 0;
        int i = 0;
        if (Group.STORE.ready()) {
            i = vectors(mode, tile, at, n, to, offset, gated, gate, gateOffset);
        }
        for (; i < n; i++) {
            float y = tile[at + i];
            if (mode != Epilogue.Mode.STORE) {
                float old = to.get(FLOAT, offset + 4L * i);
                y *= gated ? gate.get(FLOAT, gateOffset + 4L * i) : 1;
                y = mode == Epilogue.Mode.ADD ? old + y : old * y;
            }
            to.set(FLOAT, offset + 4L * i, y);
        }
    }

    /** Runs all there is to compile in {@link #vectors}. */
    static void everyMode(float[] tile, int n, MemorySegment to) {
        vectors(Epilogue.Mode.STORE, tile, 0, n, to, 0, false, to, 0);
        vectors(Epilogue.Mode.ADD, tile, 0, n, to, 0, false, to, 0);
        vectors(Epilogue.Mode.ADD, tile, 0, n, to, 0, true, to, 0);
        vectors(Epilogue.Mode.MULTIPLY, tile, 0, n, to, 0, false, to, 0);
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
