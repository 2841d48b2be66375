package jdiffusion.kernels.cpu;

import static jdiffusion.kernels.cpu.MicroKernel.NR;
import static jdiffusion.kernels.cpu.MicroKernel.TILE;
import static jdiffusion.kernels.cpu.Simd.LANES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.tensor.Tensor;
import jdk.incubator.vector.FloatVector;

/** The way of finished tiles through the epilogue into the output. */
final class TileStore {
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Cpu cpu;
    private Epilogue epilogue;
    private Tensor out;
    private int rowsPerGate;

    TileStore(Cpu cpu) {
        this.cpu = cpu;
    }

    void begin(Epilogue nextEpilogue, Tensor nextOut) {
        epilogue = nextEpilogue;
        out = nextOut;
        rowsPerGate = nextEpilogue.gate() == null ? 0 : nextOut.rows() / nextEpilogue.gate().rows();
    }

    void end() {
        epilogue = null;
        out = null;
    }

    /** Stores {@code cols} columns of {@code rows} rows, given as tiles [MR][NR] side by side. */
    void panel(float[] tiles, int at, int row, int rows, int column, int cols, int worker) {
        for (int t = 0; t * NR < cols; t++) {
            int width = Math.min(NR, cols - t * NR);
            for (int r = 0; r < rows; r++) {
                run(tiles, at + t * TILE + r * NR, row + r, column + t * NR, width, worker);
            }
        }
    }

    private void run(float[] tile, int at, int row, int column, int n, int worker) {
        Pointwise.activate(epilogue.activation(), tile, at, n);
        long offset = out.rowOffset(row) + 4L * column;
        if (epilogue.mode() != Epilogue.Mode.STORE) {
            float[] old = cpu.local(worker, Buffer.ROW, 2 * NR);
            MemorySegment.copy(out.data(), FLOAT, offset, old, 0, n);
            if (epilogue.mode() == Epilogue.Mode.MULTIPLY) {
                multiply(tile, at, old, 0, n);
            } else {
                if (epilogue.gate() != null) {
                    Tensor gate = epilogue.gate();
                    long from = gate.rowOffset(row / rowsPerGate) + 4L * column;
                    MemorySegment.copy(gate.data(), FLOAT, from, old, NR, n);
                    multiply(tile, at, old, NR, n);
                }
                add(tile, at, old, n);
            }
        }
        MemorySegment.copy(tile, at, out.data(), FLOAT, offset, n);
    }

    private static void multiply(float[] to, int at, float[] by, int byAt, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            FloatVector factor = FloatVector.fromArray(Simd.F, by, byAt + i);
            FloatVector.fromArray(Simd.F, to, at + i).mul(factor).intoArray(to, at + i);
        }
        for (; i < n; i++) {
            to[at + i] *= by[byAt + i];
        }
    }

    private static void add(float[] to, int at, float[] terms, int n) {
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            FloatVector term = FloatVector.fromArray(Simd.F, terms, i);
            FloatVector.fromArray(Simd.F, to, at + i).add(term).intoArray(to, at + i);
        }
        for (; i < n; i++) {
            to[at + i] += terms[i];
        }
    }
}
