package jdiffusion.kernels.cpu;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.locks.LockSupport;

/**
 * A fixed team of threads for loops over independent items. The calling thread works too.
 *
 * <p>Each worker begins with its share of the items, in their order, and then helps others, from the end of theirs. So
 * after an item a worker most likely does the next one, but which thread does an item is left to chance; kernels must
 * make an item's result depend on the item alone (and use the worker's number only to find its scratch memory). Idle
 * workers spin for a moment, since kernels follow each other closely, then sleep; after pauses too long for that they
 * sleep sooner. A worker that wakes too late for a loop is not waited for. A loop allocates nothing.
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
    /** How long they take, about, on the CPUs whose pauses are long. */
    private static final long SPIN_NANOS = 1_000_000;
    private static final int LEAST_SPINS = SPINS / 16;
    /** One pause in 256 is a yield. */
    private static final int SPIN_MASK = 255;
    /** Distance in {@link #left}: workers share no cache line, nor two neighbours. */
    private static final int APART = 16;
    private static final int HALF = 32;
    private static final int SHUT = -1;

    private final Thread[] threads;
    /** For each worker the first of its items that are left, in the upper half, and the end. */
    private final AtomicLongArray left;
    /** Threads in the loop beside the caller's; {@link #SHUT} between loops. */
    private final AtomicInteger inside = new AtomicInteger(SHUT);
    private volatile int round;
    private volatile boolean closed;
    private volatile Throwable failure;
    private Body body;

    /** @param count threads in all, the caller's included; at least 1 */
    public Workers(int count) {
        if (count < 1) {
            throw new IllegalArgumentException("threads must be at least 1, not " + count);
        }
        threads = new Thread[count - 1];
        left = new AtomicLongArray(count * APART);
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
        int workers = count();
        for (int w = 0; w < workers; w++) {
            left.set(w * APART, range((long) itemCount * w / workers, (long) itemCount * (w + 1) / workers));
        }
        inside.set(0);
        round++;
        for (Thread thread : threads) {
            LockSupport.unpark(thread);
        }
        work(0);
        // All items are taken; who is not inside by now has none.
        for (int spins = 0; !inside.compareAndSet(0, SHUT); spins++) {
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
        int most = SPINS;
        while (!closed) {
            most = await(seen, most);
            if (closed) {
                return;
            }
            seen = round;
            if (enter()) {
                work(worker);
                inside.decrementAndGet();
            }
        }
    }

    /** Waits for a round after this one; gives how often to spin in the next wait. */
    private int await(int seen, int most) {
        int spins = 0;
        while (round == seen && !closed && spins < most) {
            pause(spins++);
        }
        if (spins < most) {
            return most;
        }
        long slept = System.nanoTime();
        while (round == seen && !closed) {
            LockSupport.park(this);
        }
        return System.nanoTime() - slept < SPIN_NANOS ? SPINS : Math.max(most / 2, LEAST_SPINS);
    }

    private boolean enter() {
        for (int now = inside.get(); now != SHUT; now = inside.get()) {
            if (inside.compareAndSet(now, now + 1)) {
                return true;
            }
        }
        return false;
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
        int workers = count();
        try {
            for (int i = first(worker); i >= 0; i = first(worker)) {
                current.run(i, worker);
            }
            for (int other = 1; other < workers; other++) {
                int from = (worker + other) % workers;
                for (int i = last(from); i >= 0; i = last(from)) {
                    current.run(i, worker);
                }
            }
        } catch (Throwable t) {
            failure = t;
            for (int w = 0; w < workers; w++) {
                left.set(w * APART, 0);
            }
        }
    }

    private static long range(long first, long end) {
        return first << HALF | end;
    }

    /** Claims the first item that is left of a worker's; -1 where there is none. */
    private int first(int worker) {
        while (true) {
            long range = left.get(worker * APART);
            int first = (int) (range >> HALF);
            int end = (int) range;
            if (first >= end) {
                return -1;
            }
            if (left.compareAndSet(worker * APART, range, range(first + 1, end))) {
                return first;
            }
        }
    }

    /** The same with the last one. */
    private int last(int worker) {
        while (true) {
            long range = left.get(worker * APART);
            int first = (int) (range >> HALF);
            int end = (int) range;
            if (first >= end) {
                return -1;
            }
            if (left.compareAndSet(worker * APART, range, range(first, end - 1))) {
                return end - 1;
            }
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
