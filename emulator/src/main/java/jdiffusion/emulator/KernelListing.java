package jdiffusion.emulator;

import java.util.Locale;

/** A kernel's PTX with what each instruction cost, to find the one that conflicts or reads too much. */
public final class KernelListing {
    private KernelListing() {
    }

    /**
     * One line per instruction that was executed, in the order of the text: line number, executions by warps, sectors
     * of global memory per ideal sector, cycles lost to bank conflicts, class, and the instruction itself.
     */
    public static String text(KernelCounters counters) {
        var text = new StringBuilder("%6s %12s %8s %10s  %-10s%s%n".formatted(
                "line", "warps", "sectors", "conflicts", "class", counters.kernel()));
        for (KernelCounters.Line line : counters.lines().values()) {
            if (line.executions == 0) {
                continue;
            }
            KernelCounters.Traffic traffic = line.traffic;
            double sectors = (double) traffic.globalSectors / traffic.globalIdealSectors;
            text.append(String.format(Locale.ROOT, "%6d %12d %8s %10s  %-10s%s%n", line.line, line.executions,
                    traffic.globalIdealSectors == 0 ? "" : String.format(Locale.ROOT, "%.2f", sectors),
                    traffic.sharedRequests == 0 ? "" : Long.toString(traffic.sharedConflictCycles),
                    line.kind.name().toLowerCase(Locale.ROOT).replace('_', '.'), line.text.strip()));
        }
        return text.toString();
    }
}
