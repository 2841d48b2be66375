package jdiffusion.kernels.cpu;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * A fixed team of threads for loops over independent items. The calling thread works too.
 *
 * <p>Items are claimed one by one, so which thread does an item is left to chance; kernels must make an item's result
 * depend on the item alone (and use the worker's number only to find its scratch memory). Idle workers spin for a
 * moment, since kernels follow each other closely, then sleep. A loop allocates nothing.
 */
public final class Workers implements AutoCloseable {
    /** The body of a parallel loop. */
    @FunctionalInterface
    public interface Body {
        /**
         * @param item   index from 0 to the number of items
         * @param worker index of the thread, from 0 to {@link Workers#count()}
         */
        void run(int item, int worker);
    }

    private static final int SPINS = 20_000;
    /** One pause in 256 is a yield. */
    private static final int SPIN_MASK = 255;

    private final Thread[] threads;
    private final AtomicInteger next = new AtomicInteger();
    private final AtomicInteger busy = new AtomicInteger();
    private volatile int round;
    private volatile boolean closed;
    private volatile Throwable failure;
    private Body body;
    private int items;

    /** @param count threads in all, the caller's included; at least 1 */
    public Workers(int count) {
        if (count < 1) {
            throw new IllegalArgumentException("threads must be at least 1, not " + count);
        }
        threads = new Thread[count - 1];
        for (int i = 0; i < threads.length; i++) {
            int worker = i + 1;
            threads[i] = Thread.ofPlatform().daemon().name("jdiffusion-worker-" + worker)
                    .unstarted(() -> serve(worker));
            threads[i].start();
        }
    }

    /** Threads in all, the caller's included. */
    public int count() {
        return threads.length + 1;
    }

    /**
     * Runs {@code body} for every item and returns when all are done. Not reentrant, and one caller at a time. A
     * failure in any item is thrown here, after the others have stopped.
     */
    public void run(int itemCount, Body loopBody) {
        if (closed) {
            throw new IllegalStateException("the worker threads are closed");
        }
        if (threads.length == 0 || itemCount <= 1) {
            for (int i = 0; i < itemCount; i++) {
                loopBody.run(i, 0);
            }
            return;
        }
        body = loopBody;
        items = itemCount;
        next.set(0);
        busy.set(threads.length);
        round++;
        for (Thread thread : threads) {
            LockSupport.unpark(thread);
        }
        work(0);
        for (int spins = 0; busy.get() > 0; spins++) {
            pause(spins);
        }
        body = null;
        Throwable thrown = failure;
        failure = null;
        switch (thrown) {
            case null -> { }
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IllegalStateException(thrown);
        }
    }

    private void serve(int worker) {
        int seen = 0;
        while (!closed) {
            for (int spins = 0; round == seen && !closed; spins++) {
                if (spins < SPINS) {
                    pause(spins);
                } else {
                    LockSupport.park(this);
                }
            }
            if (closed) {
                return;
            }
            seen = round;
            work(worker);
            busy.decrementAndGet();
        }
    }

    /** Spinning for long would keep the thread waited for off its core where there are more threads than cores. */
    private static void pause(int spins) {
        if ((spins & SPIN_MASK) == SPIN_MASK) {
            Thread.yield();
        } else {
            Thread.onSpinWait();
        }
    }

    private void work(int worker) {
        Body current = body;
        int count = items;
        try {
            for (int i = next.getAndIncrement(); i < count; i = next.getAndIncrement()) {
                current.run(i, worker);
            }
        } catch (Throwable t) {
            failure = t;
            next.set(count);
        }
    }

    @Override
    public void close() {
        closed = true;
        for (Thread thread : threads) {
            LockSupport.unpark(thread);
        }
    }
}
