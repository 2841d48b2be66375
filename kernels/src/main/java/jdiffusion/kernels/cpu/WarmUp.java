package jdiffusion.kernels.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicBoolean;
import jdiffusion.kernels.Epilogue;

/**
 * Has the vector code compiled in the background when a program starts.
 *
 * <p>Until the compiler has turned a loop over vectors into instructions, each vector operation is a call that works
 * lane by lane and allocates, about a hundred times slower than plain code. So {@link #start} lets all kernels use
 * plain loops, which give the same bits, while one thread runs the vector loops on scraps until they are fast; then
 * all change over. Programs that never call it, tests and benchmarks, use vectors from the start.
 */
public final class WarmUp {
    /**
     * Whether kernels use vectors. Not volatile: a thread that sees the change late is slow for a moment, no more.
     */
    public static boolean ready = true;

    private static final int STEPS = 64;
    private static final int RUN = 256;
    /** A loop counts as compiled when this many calls one after the other were fast. */
    private static final int FAST_CALLS = 20;
    private static final long FAST_NANOS = 20_000;
    private static final long MOST_NANOS = 3_000_000_000L;
    private static final AtomicBoolean STARTED = new AtomicBoolean();

    private WarmUp() {
    }

    /** Begins, the first time it is called; returns at once. */
    public static void start() {
        if (STARTED.compareAndSet(false, true)) {
            ready = false;
            Thread.ofPlatform().daemon().name("jdiffusion-warm-up").start(WarmUp::run);
        }
    }

    private static void run() {
        long deadline = System.nanoTime() + MOST_NANOS;
        float[] a = filled(MicroKernel.MR * STEPS);
        float[] b = filled(STEPS * MicroKernel.NR);
        float[] tile = filled(MicroKernel.TILE);
        settle(() -> MicroKernel.vectors(STEPS, a, 0, STEPS, b, 0, tile, 0), deadline);
        float[] values = filled(RUN);
        float[] square = filled(Simd.LANES * Simd.LANES);
        try (Arena arena = Arena.ofShared()) {
            MemorySegment stored = arena.allocate(4L * RUN);
            settle(() -> Widen.bf16Vectors(stored, 0, values, 0, RUN), deadline);
            settle(() -> Transpose.square(values, 0, Simd.LANES, square, 0, Simd.LANES, tile), deadline);
            settle(() -> TileStore.vectors(Epilogue.Mode.STORE, values, 0, RUN, stored, 0, false, stored, 0), deadline);
            settle(() -> TileStore.vectors(Epilogue.Mode.ADD, values, 0, RUN, stored, 0, true, stored, 0), deadline);
        }
        Arrays.fill(values, -1);
        settle(() -> Pointwise.geluTanhVectors(values, 0, RUN), deadline);
        ready = true;
    }

    private static float[] filled(int size) {
        float[] values = new float[size];
        Arrays.fill(values, 0.5f);
        return values;
    }

    /** Calls a loop until it is fast. */
    private static void settle(Runnable loop, long deadline) {
        int fast = 0;
        while (fast < FAST_CALLS) {
            long start = System.nanoTime();
            if (start > deadline) {
                return;
            }
            loop.run();
            fast = System.nanoTime() - start < FAST_NANOS ? fast + 1 : 0;
        }
    }
}
