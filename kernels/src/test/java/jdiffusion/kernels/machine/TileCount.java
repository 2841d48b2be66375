package jdiffusion.kernels.machine;

import java.util.concurrent.atomic.LongAdder;

/** How often interpreted code loads, stores and multiplies tiles, and what else it does. */
public final class TileCount {
    private static final int LINE = 64;

    private final LongAdder loads = new LongAdder();
    private final LongAdder stores = new LongAdder();
    private final LongAdder products = new LongAdder();
    private final LongAdder instructions = new LongAdder();
    private final LongAdder prefetches = new LongAdder();
    private final LongAdder vectorBytes = new LongAdder();
    private final LongAdder vectors = new LongAdder();
    private final LongAdder crossing = new LongAdder();

    void load() {
        loads.increment();
    }

    void store() {
        stores.increment();
    }

    void product() {
        products.increment();
    }

    void instruction() {
        instructions.increment();
    }

    void prefetch() {
        prefetches.increment();
    }

    /** A vector that is read or written. */
    void vector(long address, int bytes) {
        vectors.increment();
        vectorBytes.add(bytes);
        if (address % LINE + bytes > LINE) {
            crossing.increment();
        }
    }

    /** All instructions, those on tiles too. */
    public long instructions() {
        return instructions.sum();
    }

    /** Lines asked for. */
    public long prefetches() {
        return prefetches.sum();
    }

    /** Vectors that are read or written. */
    public long vectors() {
        return vectors.sum();
    }

    public long vectorBytes() {
        return vectorBytes.sum();
    }

    /** Vectors that lie across cache lines; tiles that do are faults. */
    public long crossing() {
        return crossing.sum();
    }

    public long loads() {
        return loads.sum();
    }

    public long stores() {
        return stores.sum();
    }

    public long products() {
        return products.sum();
    }
}
