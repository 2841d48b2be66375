package jdiffusion.kernels.cuda;

import java.util.List;
import jdiffusion.emulator.KernelCounters;

/**
 * The inner loop of a matrix product as the emulated device counted it: the instructions that were executed as often as
 * those of the tensor cores.
 *
 * @param conflictCycles lost to bank conflicts
 * @param useful         instructions for the tensor cores, ldmatrix and asynchronous copies
 * @param slots          instructions but for integer arithmetic
 */
public record MainLoop(long conflictCycles, int useful, int slots) {
    public static MainLoop of(KernelCounters counters) {
        long rounds = counters.lines().values().stream()
                .filter(line -> line.kind == KernelCounters.InstructionClass.MMA).findFirst().orElseThrow().executions;
        List<KernelCounters.Line> loop =
                counters.lines().values().stream().filter(line -> line.executions == rounds).toList();
        int useful = 0;
        int integer = 0;
        long conflicts = 0;
        for (KernelCounters.Line line : loop) {
            conflicts += line.traffic.sharedConflictCycles;
            switch (line.kind) {
                case MMA, LDMATRIX, CP_ASYNC -> useful++;
                case INTEGER -> integer++;
                default -> { }
            }
        }
        return new MainLoop(conflicts, useful, loop.size() - integer);
    }

    /** Of the issue slots that integer arithmetic leaves. */
    public double usefulShare() {
        return (double) useful / slots;
    }
}
