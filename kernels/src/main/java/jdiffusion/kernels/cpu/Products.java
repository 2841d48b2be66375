package jdiffusion.kernels.cpu;

import java.lang.foreign.MemorySegment;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.machine.Ahead;
import jdiffusion.kernels.machine.AmxPanels;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.MachinePairs;
import jdiffusion.kernels.machine.MachineProducts;
import jdiffusion.kernels.machine.MachineStores;
import jdiffusion.kernels.machine.Start;

/**
 * The inner loop of all matrix products at a level of the CPU: machine code, or {@link MicroKernel} with the Vector
 * API. The shape of a tile is MicroKernel's at every level, and so is each sum: in float32 all levels give the same
 * bits.
 *
 * <p>With {@link #inPairs} operands hold two bfloat16 in each word of 32 bits, and sums differ from those of other
 * levels by the order within a pair and by subnormal numbers, which count as zero.
 */
public final class Products implements AutoCloseable {
    private final Precision precision;
    private final CpuLevel wanted;
    private CpuLevel level;
    private boolean closed;
    private volatile MachineProducts machine;
    private volatile AmxPanels amx;
    private volatile MachineStores stores;

    /**
     * Products that run on the Vector API, or its stand-in, until somebody calls {@link #prepare}; in float32 that may
     * be while they run.
     *
     * @param wanted one without an obstacle, or null for the best of this machine
     */
    Products(Precision precision, CpuLevel wanted) {
        this.precision = precision;
        this.wanted = wanted;
    }

    /**
     * Products at the level AMX by way of what is given, whatever this CPU has.
     *
     * @param code null for {@link MicroKernel} where {@code precision} is a split one
     */
    Products(Precision precision, MachineProducts code, AmxPanels tiles, MachineStores rows) {
        this.precision = precision;
        wanted = CpuLevel.AMX;
        level = CpuLevel.AMX;
        machine = code;
        amx = tiles;
        stores = rows;
    }

    /**
     * Changes over to machine code where the level has some.
     *
     * @return whether it has
     */
    synchronized boolean prepare() {
        if (level == null) {
            CpuLevel chosen = CpuLevel.VECTOR;
            try {
                chosen = wanted == null ? CpuLevel.best() : wanted;
                boolean pairs = precision == Precision.BF16 && MachinePairs.takes(MicroKernel.NR);
                if (!closed && chosen == CpuLevel.AMX && (pairs || precision.isSplit())) {
                    amx = new AmxPanels();
                }
                // Levels are in order, best first.
                if (!closed && chosen.compareTo(CpuLevel.AVX512) <= 0 && MachineStores.takes(MicroKernel.NR)) {
                    stores = new MachineStores(MicroKernel.NR, chosen.hasPairs());
                }
                if (!closed && chosen != CpuLevel.VECTOR) {
                    machine = new MachineProducts(chosen, precision == Precision.BF16, MicroKernel.NR, Simd.LANES);
                }
            } finally {
                level = chosen;
                notifyAll();
            }
        }
        return machine != null;
    }

    /** The level in use; waits until that is known. */
    public synchronized CpuLevel level() {
        boolean interrupted = false;
        while (level == null) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return level;
    }

    /**
     * Products on tiles; null where there are none, or not in bfloat16. There is {@link #pairs} too, then, unless the
     * precision is a split one, in which attention is float32's.
     */
    public AmxPanels amx() {
        return amx;
    }

    /** Whether a word of an operand is two consecutive numbers in bfloat16, the first in its lower half. */
    public boolean inPairs() {
        return machine != null && machine.inPairs();
    }

    /**
     * {@link MicroKernel#multiply} for panels of rows that follow each other, and whose tiles do; {@code k} counts
     * words. There should be so few that it takes some microseconds: nothing stops the machine code.
     *
     * @param start {@link Start#SUMS} or {@link Start#ROW_BEFORE}
     * @param ahead what comes into the caches meanwhile where the machine code can do that; null for nothing
     */
    public void multiply(Start start, int panels, int k, float[] a, int aOffset, int aStride, float[] b, int bOffset,
                         float[] tiles, int tilesOffset, Ahead ahead) {
        MachineProducts code = machine;
        if (code != null && k > 0) {
            if (ahead == null) {
                code.multiply(start, panels, k, a, aOffset, aStride, b, bOffset, tiles, tilesOffset);
            } else {
                code.multiply(start, panels, k, a, aOffset, aStride, b, bOffset, tiles, tilesOffset, ahead);
            }
            return;
        }
        begin(start, panels, MicroKernel.NR, b, bOffset, tiles, tilesOffset);
        for (int p = 0; p < panels; p++) {
            MicroKernel.multiply(k, a, aOffset + p * MicroKernel.MR * aStride, aStride, b, bOffset, tiles,
                    tilesOffset + p * MicroKernel.TILE);
        }
    }

    /** The same with left rows anywhere, offset and stride in bytes; only with {@link #inPairs}. */
    void multiply(Start start, int panels, int k, MemorySegment a, long aOffset, long aStride, float[] b, int bOffset,
                  float[] tiles, int tilesOffset, Ahead ahead) {
        machine.multiply(start, panels, k, a, aOffset, aStride, b, bOffset, tiles, tilesOffset, ahead);
    }

    /** See {@link MicroKernel#multiplyNarrow}; {@code k} counts words. */
    public void multiplyNarrow(Start start, int k, float[] a, int aOffset, int aStride, float[] b, int bOffset,
                               float[] tile, int tileOffset) {
        MachineProducts code = machine;
        if (code != null && k > 0) {
            code.multiplyNarrow(start, k, a, aOffset, aStride, b, bOffset, tile, tileOffset);
        } else {
            begin(start, 1, Simd.LANES, b, bOffset, tile, tileOffset);
            MicroKernel.multiplyNarrow(k, a, aOffset, aStride, b, bOffset, tile, tileOffset);
        }
    }

    /** The same with left rows anywhere, offset and stride in bytes; only with {@link #inPairs}. */
    void multiplyNarrow(Start start, int k, MemorySegment a, long aOffset, long aStride, float[] b, int bOffset,
                        float[] tile, int tileOffset) {
        machine.multiplyNarrow(start, k, a, aOffset, aStride, b, bOffset, tile, tileOffset);
    }

    private static void begin(Start start, int panels, int width, float[] b, int bOffset, float[] tiles, int at) {
        if (start == Start.ROW_BEFORE) {
            for (int r = 0; r < panels * MicroKernel.MR; r++) {
                System.arraycopy(b, bOffset - width, tiles, at + r * width, width);
            }
        }
    }

    /** Floats that an array must have room for, so that {@link #roundPairs} can read {@code count} numbers. */
    public int padded(int count) {
        return MachineProducts.padded(count);
    }

    /**
     * Rounds the first {@code count} numbers of an array that is {@link #padded} to words, the rest of the last one
     * zero; behind it, up to a multiple of 16 words, may be rubbish. Only with {@link #inPairs}.
     */
    public void roundPairs(float[] from, int count, float[] to, int at) {
        if (count % 2 == 1) {
            from[count] = 0;
        }
        machine.roundPairs(from, 0, Math.ceilDiv(count, 2), to, at);
    }

    /** The same with words anywhere, {@code at} in bytes. */
    public void roundPairs(float[] from, int count, MemorySegment to, long at) {
        if (count % 2 == 1) {
            from[count] = 0;
        }
        machine.roundPairs(from, 0, Math.ceilDiv(count, 2), to, at);
    }

    /**
     * sums [rows][NR] += A B, or from another start, on operands in pairs; only with {@link #inPairs}.
     *
     * @param start {@link Start#SUMS} or {@link Start#ZERO}
     * @param rows  a multiple of MR
     * @param k     words of a row, a multiple of 2
     */
    public void multiplyRows(Start start, int rows, int k, float[] a, int aOffset, int aStride, float[] b,
                             int bOffset, float[] sums, int sumsOffset) {
        machine.multiply(start, rows / MicroKernel.MR, k, a, aOffset, aStride, b, bOffset, sums, sumsOffset);
    }

    /** What goes with products in pairs; only with {@link #inPairs}. */
    public MachinePairs pairs() {
        return machine.pairs();
    }

    /** The way of finished rows of NR sums into the output; null where there is no code for it. */
    MachineStores stores() {
        return stores;
    }

    /** See {@link MachineProducts#forgetArrays}. */
    void forgetArrays() {
        MachineProducts code = machine;
        if (code != null) {
            code.forgetArrays();
        }
        if (stores != null) {
            stores.forgetArrays();
        }
        if (amx != null) {
            amx.forgetArrays();
        }
    }

    @Override
    public synchronized void close() {
        closed = true;
        if (machine != null) {
            machine.close();
        }
        if (amx != null) {
            amx.close();
        }
        if (stores != null) {
            stores.close();
        }
    }
}
