package jdiffusion.emulator;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import jdiffusion.emulator.KernelCounters.InstructionClass;

/**
 * The profile of a run on the emulated device: what each kernel did, and a roofline estimate for named cards. Its
 * parts are records of plain values, fit to be written as JSON.
 *
 * @param kernels by estimated time on the first card of the table, longest first
 */
public record ProfileReport(List<KernelProfile> kernels) {

    public ProfileReport {
        kernels = List.copyOf(kernels);
    }

    /** The report of what an executor has counted: {@code ProfileReport.of(executor.counters().values())}. */
    public static ProfileReport of(Collection<KernelCounters> counters) {
        var slowestFirst = Comparator.comparingDouble((KernelProfile kernel) -> -kernel.estimates().getFirst().micros())
                .thenComparing(KernelProfile::kernel);
        return new ProfileReport(counters.stream().map(KernelProfile::of).sorted(slowestFirst).toList());
    }

    /** Three tables: instructions, memory and tensor cores, and the estimates. */
    public String text() {
        return String.join("\n", instructions(), work(), estimates());
    }

    private String instructions() {
        var rows = new ArrayList<List<String>>();
        var header = new ArrayList<>(List.of("instructions, per cent", "launches", "blocks", "warp instr."));
        for (InstructionClass kind : InstructionClass.values()) {
            header.add(kind.name().toLowerCase(Locale.ROOT).replace('_', '.'));
        }
        rows.add(header);
        for (KernelProfile kernel : kernels) {
            var row = new ArrayList<>(List.of(kernel.kernel(), Long.toString(kernel.launches()),
                    Long.toString(kernel.blocks()), scaled(kernel.warpInstructions())));
            kernel.mix().values().forEach(share -> row.add(percent(share)));
            rows.add(row);
        }
        return table(rows);
    }

    private String work() {
        var rows = new ArrayList<List<String>>();
        rows.add(List.of("work", "mma FLOP", "read B", "written B", "sectors/ideal", "bank conflicts", "tensor share %",
                "loop share %", "loop conflicts", "loop sectors/ideal"));
        for (KernelProfile kernel : kernels) {
            KernelProfile.MainLoop loop = kernel.mainLoop();
            Stream<String> ofLoop = loop == null ? Stream.of("-", "-", "-")
                    : Stream.of(percent(loop.tensorShare()), scaled(loop.conflictCycles()),
                            format(loop.sectorsPerIdeal()));
            Stream<String> ofKernel = Stream.of(kernel.kernel(), scaled(kernel.mmaFlops()),
                    scaled(kernel.globalBytesRead()), scaled(kernel.globalBytesWritten()),
                    format(kernel.sectorsPerIdeal()), scaled(kernel.conflictCycles()), percent(kernel.tensorShare()));
            rows.add(Stream.concat(ofKernel, ofLoop).toList());
        }
        return table(rows);
    }

    private String estimates() {
        var rows = new ArrayList<List<String>>();
        rows.add(Stream.concat(Stream.of("estimated microseconds"), Card.ALL.stream().map(Card::name)).toList());
        for (KernelProfile kernel : kernels) {
            rows.add(Stream.concat(Stream.of(kernel.kernel()), kernel.estimates().stream()
                    .map(estimate -> micros(estimate.micros()) + ' ' + estimate.bound().name().charAt(0))).toList());
        }
        if (!kernels.isEmpty()) {
            rows.add(Stream.concat(Stream.of("all kernels"), Card.ALL.stream().map(this::total)).toList());
        }
        return table(rows) + "T tensor cores at peak, M memory without help of the L2 cache, I instruction issue\n";
    }

    private String total(Card card) {
        return micros(kernels.stream().flatMap(kernel -> kernel.estimates().stream())
                .filter(estimate -> estimate.card().equals(card.name()))
                .mapToDouble(KernelProfile.Estimate::micros).sum()) + "  ";
    }

    /** Rows of equal length as lines, the first column to the left and the others to the right. */
    private static String table(List<List<String>> rows) {
        var widths = new int[rows.getFirst().size()];
        for (List<String> row : rows) {
            for (int i = 0; i < widths.length; i++) {
                widths[i] = Math.max(widths[i], row.get(i).length());
            }
        }
        var text = new StringBuilder();
        for (List<String> row : rows) {
            text.append(("%-" + widths[0] + "s").formatted(row.getFirst()));
            for (int i = 1; i < widths.length; i++) {
                text.append(("  %" + widths[i] + "s").formatted(row.get(i)));
            }
            text.append('\n');
        }
        return text.toString();
    }

    private static String percent(double share) {
        return String.format(Locale.ROOT, "%.1f", 100 * share);
    }

    private static String micros(double value) {
        return String.format(Locale.ROOT, value < 100 ? "%.2f" : "%.0f", value);
    }

    private static String format(double ratio) {
        return String.format(Locale.ROOT, "%.2f", ratio);
    }

    /** Four significant digits with k, M, G or T. */
    private static String scaled(long value) {
        double rest = value;
        int step = 0;
        while (rest >= 1000 && step < 4) {
            rest /= 1000;
            step++;
        }
        if (step == 0) {
            return Long.toString(value);
        }
        return String.format(Locale.ROOT, rest < 10 ? "%.3f" : rest < 100 ? "%.2f" : "%.1f", rest)
                + "kMGT".charAt(step - 1);
    }
}
