package jdiffusion.kernels.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.Pages;

/**
 * What the CPU kernels share: the threads, the precision of inputs, the inner loop of products, and packing buffers.
 *
 * <p>Buffers are heap arrays that belong to a thread, or to the loop that is running ({@link #shared}); they grow to
 * the largest use and stay, so a loop of equal steps allocates in its first round only. What is in a buffer does not
 * outlive one kernel call.
 *
 * <p>Beside the arrays there is memory for machine code, {@link #localMemory} and {@link #sharedMemory}: its addresses
 * are those of cache lines, as no array's are, and it is in large pages where it is large. It is given back when nobody
 * has this object any more. A worker's own is touched first by that worker, so the system places it near it.
 */
public final class Cpu implements AutoCloseable {
    private final Workers workers;
    private final Precision precision;
    private final Products products;
    private final float[][][] local;
    private final float[][] shared = new float[Buffer.values().length][];
    private final MemorySegment[][] localMemory;
    private final MemorySegment[] sharedMemory = new MemorySegment[Buffer.values().length];

    /** The uses of a buffer, so that one kernel can hold several at once. */
    public enum Buffer { A_PANEL, B_PANEL, TILE, ROW, SCORES, SUMS, STATISTICS, ADAPTER }

    /** At the best level of this machine. */
    public Cpu(int threads, Precision precision) {
        this(threads, precision, (CpuLevel) null);
    }

    /** @param level one without an obstacle, or null for the best of this machine */
    public Cpu(int threads, Precision precision, CpuLevel level) {
        this(threads, precision, new Products(precision, level));
        products.prepare();
    }

    Cpu(int threads, Precision precision, Products products) {
        this.products = products;
        this.workers = new Workers(threads);
        this.precision = precision;
        this.local = new float[threads][Buffer.values().length][];
        this.localMemory = new MemorySegment[threads][Buffer.values().length];
    }

    public Workers workers() {
        return workers;
    }

    public Precision precision() {
        return precision;
    }

    public Products products() {
        return products;
    }

    /** A buffer of at least {@code floats} of one worker; holds rubbish. Only that worker may ask. */
    public float[] local(int worker, Buffer use, int floats) {
        float[] buffer = local[worker][use.ordinal()];
        if (buffer == null || buffer.length < floats) {
            buffer = grown(floats);
            local[worker][use.ordinal()] = buffer;
        }
        return buffer;
    }

    /** A buffer of at least {@code floats} for all workers; holds rubbish. Only the calling thread may ask. */
    public float[] shared(Buffer use, int floats) {
        float[] buffer = shared[use.ordinal()];
        if (buffer == null || buffer.length < floats) {
            buffer = grown(floats);
            shared[use.ordinal()] = buffer;
        }
        return buffer;
    }

    /** As {@link #local}, aligned to a cache line. */
    public MemorySegment localMemory(int worker, Buffer use, long bytes) {
        return memory(localMemory[worker], use, bytes);
    }

    /** As {@link #shared}, aligned to a cache line. */
    public MemorySegment sharedMemory(Buffer use, long bytes) {
        return memory(sharedMemory, use, bytes);
    }

    /** Never closed, so that calls of machine code need not count who uses it. */
    private static MemorySegment memory(MemorySegment[] buffers, Buffer use, long bytes) {
        MemorySegment buffer = buffers[use.ordinal()];
        if (buffer == null || buffer.byteSize() < bytes) {
            buffers[use.ordinal()] = null;
            buffer = Pages.large(bytes, Arena.ofAuto());
            buffers[use.ordinal()] = buffer;
        }
        return buffer;
    }

    private float[] grown(int floats) {
        products.forgetArrays();
        return new float[floats];
    }

    @Override
    public void close() {
        workers.close();
        products.close();
    }
}
