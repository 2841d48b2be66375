package jdiffusion.kernels.machine;

import java.util.concurrent.atomic.LongAdder;

/** How often interpreted code loads, stores and multiplies tiles. */
public final class TileCount {
    private final LongAdder loads = new LongAdder();
    private final LongAdder stores = new LongAdder();
    private final LongAdder products = new LongAdder();

    void load() {
        loads.increment();
    }

    void store() {
        stores.increment();
    }

    void product() {
        products.increment();
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
