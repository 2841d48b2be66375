package jdiffusion.kernels.cpu;

import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.RegisterPeak;
import jdiffusion.kernels.machine.TilePeak;
import jdk.incubator.vector.FloatVector;

/**
 * The most floating-point operations a second that products could reach: see {@link RegisterPeak} and
 * {@link TilePeak}.
 */
final class ProductPeak {
    private static final int ROUNDS = 10;
    private static final long ROUND_NANOS = 20_000_000;
    /** Counters of two threads do not share a cache line. */
    private static final int APART = 16;
    private static final int VECTOR_STEPS = 256;
    /** More than the loop reaches before it is compiled: 50 million multiply-adds of vectors a second. */
    private static final double COMPILED = 5e7 * 2 * Simd.LANES;
    private static final long MOST_COMPILING_NANOS = 10_000_000_000L;
    private static final int VECTOR_SUMS = 12;

    private ProductPeak() {
    }

    /** Computes for a moment; does some floating-point operations and gives their number. */
    @FunctionalInterface
    private interface Loop {
        long run();
    }

    /** The best of some rounds at the level of these products, on all threads. */
    static double measure(Cpu cpu) {
        CpuLevel level = cpu.products().level();
        if (level == CpuLevel.VECTOR) {
            return compiled(cpu.workers());
        }
        if (cpu.products().amx() != null) {
            try (TilePeak peak = new TilePeak()) {
                return best(cpu.workers(), peak::run);
            }
        }
        try (RegisterPeak peak = new RegisterPeak(level, cpu.products().inPairs())) {
            return best(cpu.workers(), peak::run);
        }
    }

    /** Until the compiler has found the loop, which may take seconds, it is a hundred times slower. */
    private static double compiled(Workers workers) {
        long start = System.nanoTime();
        double peak;
        do {
            peak = best(workers, ProductPeak::vectors);
        } while (peak < COMPILED && System.nanoTime() - start < MOST_COMPILING_NANOS);
        return peak;
    }

    private static double best(Workers workers, Loop loop) {
        long[] flops = new long[workers.count() * APART];
        double best = 0;
        for (int round = 0; round < ROUNDS; round++) {
            long start = System.nanoTime();
            workers.run(workers.count(), (item, _) -> {
                long done = 0;
                while (System.nanoTime() - start < ROUND_NANOS) {
                    done += loop.run();
                }
                flops[item * APART] = done;
            });
            long sum = 0;
            for (int item = 0; item < workers.count(); item++) {
                sum += flops[item * APART];
            }
            best = Math.max(best, sum * 1e9 / (System.nanoTime() - start));
        }
        return best;
    }

    private static long vectors() {
        FloatVector x = FloatVector.broadcast(Simd.F, 0.5f);
        FloatVector y = FloatVector.broadcast(Simd.F, 0.25f);
        FloatVector s0 = x;
        FloatVector s1 = x;
        FloatVector s2 = x;
        FloatVector s3 = x;
        FloatVector s4 = x;
        FloatVector s5 = x;
        FloatVector s6 = x;
        FloatVector s7 = x;
        FloatVector s8 = x;
        FloatVector s9 = x;
        FloatVector s10 = x;
        FloatVector s11 = x;
        for (int step = 0; step < VECTOR_STEPS; step++) {
            s0 = x.fma(y, s0);
            s1 = x.fma(y, s1);
            s2 = x.fma(y, s2);
            s3 = x.fma(y, s3);
            s4 = x.fma(y, s4);
            s5 = x.fma(y, s5);
            s6 = x.fma(y, s6);
            s7 = x.fma(y, s7);
            s8 = x.fma(y, s8);
            s9 = x.fma(y, s9);
            s10 = x.fma(y, s10);
            s11 = x.fma(y, s11);
        }
        FloatVector sum = s0.add(s1).add(s2).add(s3).add(s4).add(s5).add(s6).add(s7).add(s8).add(s9).add(s10).add(s11);
        // The result must be of use, or there would be nothing to compute.
        return sum.lane(0) < 0 ? 0 : 2L * VECTOR_STEPS * VECTOR_SUMS * Simd.LANES;
    }
}
