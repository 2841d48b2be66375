package jdiffusion.kernels.cuda;

import java.util.List;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.emulator.KernelCounters.Line;

/**
 * The inner loop of a matrix product as the emulated device counted it: the instructions that were executed as often as
 * those of the tensor cores.
 *
 * @param conflictCycles lost to bank conflicts
 * @param wavefronts     cycles of shared memory
 * @param flops          of the tensor cores
 * @param useful         instructions for the tensor cores, ldmatrix and asynchronous copies
 * @param slots          instructions but for integer arithmetic
 */
public record MainLoop(long conflictCycles, long wavefronts, long flops, int useful, int slots) {
    public static MainLoop of(KernelCounters counters) {
        long rounds = counters.lines().values().stream()
                .filter(line -> line.kind == KernelCounters.InstructionClass.MMA).findFirst().orElseThrow().executions;
        List<Line> loop =
                counters.lines().values().stream().filter(line -> line.executions == rounds).toList();
        int useful = 0;
        int integer = 0;
        long conflicts = 0;
        long wavefronts = 0;
        for (Line line : loop) {
            conflicts += line.traffic.sharedConflictCycles;
            wavefronts += line.traffic.sharedWavefronts;
            switch (line.kind) {
                case MMA, LDMATRIX, CP_ASYNC -> useful++;
                case INTEGER -> integer++;
                default -> { }
            }
        }
        return new MainLoop(conflicts, wavefronts, counters.mmaFlops(), useful, loop.size() - integer);
    }

    /** Of the issue slots that integer arithmetic leaves. */
    public double usefulShare() {
        return (double) useful / slots;
    }
    /** Cycles of shared memory for a million operations of the tensor cores. */
    public double wavefrontsPerMegaflop() {
        return 1e6 * wavefronts / flops;
    }
}
