package jdiffusion.emulator;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import jdiffusion.emulator.KernelCounters.InstructionClass;
import jdiffusion.emulator.KernelCounters.Line;
import jdiffusion.emulator.KernelCounters.Traffic;

/**
 * What one kernel did over its launches, in figures that compare.
 *
 * @param kernel             name of the kernel
 * @param launches           times it was launched
 * @param blocks             thread blocks of all launches
 * @param warpInstructions   instructions, counted once per warp
 * @param mix                share of each class of instruction, 0 to 1
 * @param mmaFlops           floating-point operations of the tensor cores
 * @param tensorShare        see {@link #tensorShare(Map)}
 * @param globalBytesRead    bytes that lanes read from global memory
 * @param globalBytesWritten bytes that lanes wrote to global memory
 * @param sectorBytes        bytes of the 32-byte sectors touched by those accesses, caches not considered
 * @param sectorBytesRead    of these, the bytes that were read: what the L2 cache has to deliver
 * @param sectorsPerIdeal    sectors touched per sector that the distinct bytes of each request would fill if they lay
 *                           together; 1 is best, 0 without access
 * @param conflictCycles     cycles lost to bank conflicts in shared memory
 * @param sharedWavefronts   cycles that shared memory is busy, those lost to conflicts included
 * @param mainLoop           the loop around the tensor instructions, or null when the kernel has none
 * @param estimates          roofline estimate for each card, in the order of {@link Card#ALL}
 */
public record KernelProfile(String kernel, long launches, long blocks, long warpInstructions,
        Map<InstructionClass, Double> mix, long mmaFlops, double tensorShare, long globalBytesRead,
        long globalBytesWritten, long sectorBytes, long sectorBytesRead, double sectorsPerIdeal, long conflictCycles,
        long sharedWavefronts, MainLoop mainLoop, List<Estimate> estimates) {

    private static final int SECTOR_BYTES = 32;

    /**
     * The lines of PTX that are executed at least half as often as the most frequent tensor instruction.
     *
     * @param firstLine        first of these lines, from 1
     * @param lastLine         last of these lines
     * @param warpInstructions instructions of these lines, counted once per warp
     * @param tensorShare      see {@link KernelProfile#tensorShare(Map)}
     * @param sectorsPerIdeal  as of the kernel
     * @param conflictCycles   as of the kernel
     */
    public record MainLoop(int firstLine, int lastLine, long warpInstructions, double tensorShare,
            double sectorsPerIdeal, long conflictCycles) {
    }

    /** Which limit a kernel meets first. */
    public enum Bound {
        TENSOR, MEMORY, ISSUE
    }

    /**
     * The time of all launches of a kernel on a card, were it bound by one thing only. A grid with fewer blocks than
     * multiprocessors uses only as many.
     *
     * @param card         name of the card
     * @param tensorMicros microseconds for the tensor cores' operations at their peak
     * @param memoryMicros microseconds to move the touched sectors if the L2 cache never helped; kernels that read the
     *                     same data from several blocks take less
     * @param issueMicros  microseconds to issue the instructions, one per scheduler and cycle
     * @param micros       the largest of the three
     * @param bound        which one that is
     */
    public record Estimate(String card, double tensorMicros, double memoryMicros, double issueMicros, double micros,
            Bound bound) {
    }

    /** The profile of what was counted. */
    static KernelProfile of(KernelCounters counters) {
        var counts = new EnumMap<InstructionClass, Long>(InstructionClass.class);
        var mix = new EnumMap<InstructionClass, Double>(InstructionClass.class);
        for (InstructionClass kind : InstructionClass.values()) {
            counts.put(kind, counters.instructions(kind));
            mix.put(kind, ratio(counters.instructions(kind), counters.instructions()));
        }
        Traffic traffic = counters.traffic();
        return new KernelProfile(counters.kernel(), counters.launches(), counters.blocks(), counters.instructions(),
                mix, counters.mmaFlops(), tensorShare(counts), traffic.globalBytesRead, traffic.globalBytesWritten,
                traffic.globalSectors * SECTOR_BYTES, traffic.globalSectorsRead * SECTOR_BYTES,
                ratio(traffic.globalSectors, traffic.globalIdealSectors), traffic.sharedConflictCycles,
                traffic.sharedWavefronts, mainLoop(counters),
                Card.ALL.stream().map(card -> estimate(counters, card)).toList());
    }

    /** Instructions of the classes mma, ldmatrix and cp.async among those that are not integer arithmetic, 0 to 1. */
    private static double tensorShare(Map<InstructionClass, Long> counts) {
        long all = counts.values().stream().mapToLong(Long::longValue).sum();
        long tensor = counts.getOrDefault(InstructionClass.MMA, 0L) + counts.getOrDefault(InstructionClass.LDMATRIX, 0L)
                + counts.getOrDefault(InstructionClass.CP_ASYNC, 0L);
        return ratio(tensor, all - counts.getOrDefault(InstructionClass.INTEGER, 0L));
    }

    private static MainLoop mainLoop(KernelCounters counters) {
        long most = counters.lines().values().stream().filter(line -> line.kind == InstructionClass.MMA)
                .mapToLong(line -> line.executions).max().orElse(0);
        if (most == 0) {
            return null;
        }
        List<Line> lines = counters.lines().values().stream().filter(line -> 2 * line.executions >= most).toList();
        var counts = new EnumMap<InstructionClass, Long>(InstructionClass.class);
        var traffic = new Traffic();
        for (Line line : lines) {
            counts.merge(line.kind, line.executions, Long::sum);
            traffic.add(line.traffic);
        }
        return new MainLoop(lines.getFirst().line, lines.getLast().line,
                counts.values().stream().mapToLong(Long::longValue).sum(), tensorShare(counts),
                ratio(traffic.globalSectors, traffic.globalIdealSectors), traffic.sharedConflictCycles);
    }

    private static Estimate estimate(KernelCounters counters, Card card) {
        double busy = Math.min(1, ratio(counters.blocks(), counters.launches()) / card.multiprocessors());
        if (busy == 0) {
            return new Estimate(card.name(), 0, 0, 0, 0, Bound.ISSUE);
        }
        double slots = Card.SCHEDULERS * card.multiprocessors() * card.clockHz();
        double tensor = 1e6 * counters.mmaFlops() / (card.tensorFlops() * busy);
        double memory = 1e6 * counters.traffic().globalSectors * SECTOR_BYTES / card.memoryBytesPerSecond();
        double issue = 1e6 * counters.instructions() / (slots * busy);
        double micros = Math.max(tensor, Math.max(memory, issue));
        Bound bound = micros == tensor ? Bound.TENSOR : micros == memory ? Bound.MEMORY : Bound.ISSUE;
        return new Estimate(card.name(), tensor, memory, issue, micros, bound);
    }

    private static double ratio(long part, long whole) {
        return whole == 0 ? 0 : (double) part / whole;
    }
}
