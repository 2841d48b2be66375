package jdiffusion.kernels.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;

/**
 * Has the vector code compiled in the background when a program starts.
 *
 * <p>Until the compiler has turned a loop over vectors into instructions, each vector operation is a call that works
 * lane by lane and allocates, about a hundred times slower than plain code. So {@link #start} lets all kernels use
 * plain loops, which give the same bits, while one thread runs the vector loops on scraps until they are fast; then
 * the kernels change over. A program's first {@link CpuBackend} calls it; what uses kernels without one, as many tests
 * and benchmarks do, has vectors from the start.
 *
 * <p>The launcher passes compiler options that let these loops be compiled after few calls, and says so by the
 * property {@code jdiffusion.compilesEarly}; without them this takes a second or two longer.
 */
public final class WarmUp {
    private static final int OFTEN = 8_000;

    /**
     * The groups of vector loops that change over together, in the order in which they are compiled. Those that not
     * every model needs wait until they are asked for often.
     */
    public enum Group {
        PRODUCT(0), TRANSPOSE(0), BFLOAT16(0), STORE(0), SOFTMAX(0), GELU_TANH(0), SILU(0), NARROW_PRODUCT(0),
        QUICK_GELU(OFTEN), GELU_ERF(OFTEN), RELU(OFTEN), ROUND(OFTEN), NARROW(OFTEN), FLOAT16(OFTEN),
        FLOAT8(OFTEN), CODES(OFTEN), ADAPTER(OFTEN), KERNELS(OFTEN);

        private int wantedAfter;
        // Not volatile: a thread that sees a change late is slow for a moment, no more.
        private boolean compiled = true;
        private int asked;

        Group(int wantedAfter) {
            this.wantedAfter = wantedAfter;
        }

        /** Whether to use vectors. */
        public boolean ready() {
            if (!compiled) {
                asked++;
            }
            return compiled;
        }
    }

    /** Long enough that the compiler, which counts, finds it worth unrolling the loops. */
    private static final int STEPS = 64;
    private static final int RUN = 384;
    /** A loop counts as compiled when a call takes less; a call lane by lane takes a hundred times as long. */
    private static final long FAST_NANOS = 5_000;
    /**
     * Pairs of calls made at once. With the launcher's options the compiler is at work after them, and more calls
     * would only take its time.
     */
    private static final int BURST = Boolean.getBoolean("jdiffusion.compilesEarly") ? 7 : Integer.MAX_VALUE;
    private static final long PAUSE_NANOS = 1_000_000;
    private static final long LOOK_NANOS = 20_000_000;
    private static final long MOST_NANOS = 30_000_000_000L;
    private static final AtomicBoolean STARTED = new AtomicBoolean();

    private WarmUp() {
    }

    /**
     * Begins, the first time it is called; returns at once.
     *
     * @param products are prepared first; loops in the place of which they have machine code are only compiled when
     *                 they are asked for often
     * @param softmax  the vector loops of attention's softmax, on scraps
     * @return whether it begins now
     */
    static boolean start(Products products, List<Runnable> softmax) {
        boolean first = STARTED.compareAndSet(false, true);
        if (first) {
            for (Group group : Group.values()) {
                group.compiled = false;
            }
            Thread.ofPlatform().daemon().name("jdiffusion-warm-up").start(() -> run(products, softmax));
        }
        return first;
    }

    private static void run(Products products, List<Runnable> softmax) {
        long deadline = System.nanoTime() + MOST_NANOS;
        Set<Group> waiting = EnumSet.allOf(Group.class);
        try (Arena arena = Arena.ofShared()) {
            if (products.prepare()) {
                Group.PRODUCT.wantedAfter = OFTEN;
                Group.NARROW_PRODUCT.wantedAfter = OFTEN;
            }
            if (products.stores() != null) {
                Group.STORE.wantedAfter = OFTEN;
            }
            if (products.inPairs()) {
                for (Group done : List.of(Group.TRANSPOSE, Group.BFLOAT16, Group.SOFTMAX, Group.GELU_TANH,
                        Group.SILU)) {
                    done.wantedAfter = OFTEN;
                }
            }
            MemorySegment stored = arena.allocate(4L * RUN);
            while (!waiting.isEmpty() && System.nanoTime() < deadline) {
                Group next = wanted(waiting);
                if (next == null) {
                    LockSupport.parkNanos(LOOK_NANOS);
                    continue;
                }
                for (Runnable loop : next == Group.SOFTMAX ? softmax : List.of(loop(next, stored))) {
                    settle(loop, deadline);
                }
                next.compiled = true;
                waiting.remove(next);
            }
        } finally {
            waiting.forEach(group -> group.compiled = true);
        }
    }

    /** A group's vector loop, on scraps. */
    private static Runnable loop(Group group, MemorySegment stored) {
        float[] a = filled(MicroKernel.MR * STEPS);
        float[] b = filled(Math.max(RUN, STEPS * MicroKernel.NR));
        float[] c = filled(Math.max(RUN, Math.max(MicroKernel.TILE, Simd.LANES * Simd.LANES)));
        return switch (group) {
            case PRODUCT -> () -> MicroKernel.vectors(STEPS, a, 0, STEPS, b, 0, c, 0);
            case NARROW_PRODUCT -> () -> MicroKernel.narrowVectors(STEPS, a, 0, STEPS, b, 0, c, 0);
            case TRANSPOSE -> () -> Transpose.square(a, 0, Simd.LANES, b, 0, Simd.LANES, c);
            case BFLOAT16 -> () -> Widen.bf16Vectors(stored, 0, b, 0, RUN);
            case STORE -> () -> TileStore.everyMode(c, RUN, stored);
            case GELU_TANH -> () -> Pointwise.geluTanhVectors(c, 0, RUN);
            case SILU -> () -> Pointwise.siluVectors(c, 0, RUN);
            case QUICK_GELU -> () -> Pointwise.quickGeluVectors(c, 0, RUN);
            case GELU_ERF -> () -> VectorMath.geluErf(c, 0, RUN);
            case RELU -> () -> Pointwise.reluVectors(c, 0, RUN);
            case ROUND -> () -> Widen.roundVectors(c, 0, RUN);
            case NARROW -> () -> Narrow.bf16Vectors(c, 0, stored, 0, RUN);
            case FLOAT16 -> () -> Widen.f16Vectors(stored, 0, b, 0, RUN);
            case FLOAT8 -> () -> Widen.bothFloat8(stored, b, RUN);
            case CODES -> () -> Codes.everyKind(stored, b, RUN);
            case ADAPTER -> () -> MultiplyAdd.vectors(16, a, 0, b, 0, 0, c, 0, RUN);
            case KERNELS -> () -> LaneRows.everyKind(a, c);
            case SOFTMAX -> throw new IllegalArgumentException("the loops of the softmax are given");
        };
    }

    private static Group wanted(Set<Group> waiting) {
        for (Group group : waiting) {
            if (group.asked >= group.wantedAfter) {
                return group;
            }
        }
        return null;
    }

    private static float[] filled(int size) {
        float[] values = new float[size];
        Arrays.fill(values, 0.5f);
        return values;
    }

    /** Calls a loop until it is fast. */
    private static void settle(Runnable loop, long deadline) {
        for (int calls = 0; System.nanoTime() < deadline; calls++) {
            // The first call after a pause finds cold caches and says little.
            loop.run();
            long start = System.nanoTime();
            loop.run();
            if (System.nanoTime() - start < FAST_NANOS) {
                return;
            }
            if (calls > BURST) {
                LockSupport.parkNanos(PAUSE_NANOS);
            }
        }
    }
}
