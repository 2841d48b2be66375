package jdiffusion.emulator;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jdiffusion.emulator.KernelCounters.InstructionClass;

/**
 * The profile of a run on the emulated device: what each kernel did, and a roofline estimate for named cards. Its
 * parts are records of plain values, fit to be written as JSON.
 *
 * @param kernels by estimated time on the first card of the table, longest first
 */
public record ProfileReport(List<KernelProfile> kernels) {

    private static final String NONE = "-";
    private static final String UNITS = "kMGT";

    public ProfileReport {
        kernels = List.copyOf(kernels);
    }

    /** The report of what an executor has counted: {@code ProfileReport.of(executor.counters().values())}. */
    public static ProfileReport of(Collection<KernelCounters> counters) {
        var slowestFirst = Comparator.comparingDouble((KernelProfile kernel) -> -kernel.estimates().getFirst().micros())
                .thenComparing(KernelProfile::kernel);
        return new ProfileReport(counters.stream().map(KernelProfile::of).sorted(slowestFirst).toList());
    }

    /**
     * Four tables with legends: instructions, work, what feeds the tensor cores, estimates. Zeros are dashes; columns
     * of dashes are left out.
     */
    public String text() {
        return String.join("\n", instructions(), work(), supply(), estimates());
    }

    private String instructions() {
        var rows = new ArrayList<List<String>>();
        var header = new ArrayList<>(List.of("instructions, per cent", "runs", "blocks", "instr."));
        for (InstructionClass kind : InstructionClass.values()) {
            header.add(label(kind));
        }
        rows.add(header);
        for (KernelProfile kernel : kernels) {
            var row = new ArrayList<>(List.of(kernel.kernel(), scaled(kernel.launches()), scaled(kernel.blocks()),
                    scaled(kernel.warpInstructions())));
            kernel.mix().values().forEach(share -> row.add(percent(share)));
            rows.add(row);
        }
        return table(rows) + "instructions of warps; ldm ldmatrix, cpa cp.async, glb and shm access to global and"
                + " shared memory;\n- and columns that are left out are 0\n";
    }

    private static String label(InstructionClass kind) {
        return switch (kind) {
            case MMA -> "mma";
            case LDMATRIX -> "ldm";
            case CP_ASYNC -> "cpa";
            case GLOBAL -> "glb";
            case SHARED -> "shm";
            case FLOAT -> "float";
            case INTEGER -> "int";
            case CONTROL -> "ctrl";
            case BARRIER -> "bar";
            case OTHER -> "other";
        };
    }

    private String work() {
        var rows = new ArrayList<List<String>>();
        rows.add(List.of("work", "FLOP", "read", "written", "sect.", "confl.", "tens.%", "loop:", "sect.", "confl.",
                "tens.%"));
        for (KernelProfile kernel : kernels) {
            KernelProfile.MainLoop loop = kernel.mainLoop();
            Stream<String> ofLoop = loop == null ? Stream.of(NONE, NONE, NONE, NONE)
                    : Stream.of("", ratio(loop.sectorsPerIdeal()), scaled(loop.conflictCycles()),
                            percent(loop.tensorShare()));
            Stream<String> ofKernel = Stream.of(kernel.kernel(), scaled(kernel.mmaFlops()),
                    scaled(kernel.globalBytesRead()), scaled(kernel.globalBytesWritten()),
                    ratio(kernel.sectorsPerIdeal()), scaled(kernel.conflictCycles()), percent(kernel.tensorShare()));
            rows.add(Stream.concat(ofKernel, ofLoop).toList());
        }
        return table(rows) + """
                FLOP of the tensor cores; bytes read and written in global memory; sect.: sectors per ideal sector;
                confl.: cycles lost to bank conflicts; tens.%: mma, ldmatrix and cp.async among what is not integer
                """;
    }

    private String supply() {
        var rows = new ArrayList<List<String>>();
        rows.add(List.of("supply", "L2 bytes", "a kFLOP", "wavefronts", "a MFLOP"));
        for (KernelProfile kernel : kernels) {
            long flops = kernel.mmaFlops();
            rows.add(List.of(kernel.kernel(), scaled(kernel.sectorBytesRead()),
                    ratio(flops == 0 ? 0 : 1e3 * kernel.sectorBytesRead() / flops), scaled(kernel.sharedWavefronts()),
                    ratio(flops == 0 ? 0 : 1e6 * kernel.sharedWavefronts() / flops)));
        }
        return table(rows) + "L2 bytes: of the sectors that were read; wavefronts: cycles of shared memory at 128 bytes"
                + " each;\nbeside them those for each 1000 and each million FLOP of the tensor cores\n";
    }

    private String estimates() {
        var rows = new ArrayList<List<String>>();
        rows.add(Stream.concat(Stream.of("estimated microseconds"), Card.ALL.stream().map(Card::label)).toList());
        for (KernelProfile kernel : kernels) {
            rows.add(Stream.concat(Stream.of(kernel.kernel()), kernel.estimates().stream()
                    .map(estimate -> micros(estimate.micros()) + ' ' + estimate.bound().name().charAt(0))).toList());
        }
        if (!kernels.isEmpty()) {
            rows.add(Stream.concat(Stream.of("all kernels"), Card.ALL.stream().map(this::total)).toList());
        }
        return table(rows) + "T tensor cores at peak, M memory without help of the L2 cache, I instruction issue; on "
                + "the cards\n" + String.join(", ", Card.ALL.stream().map(Card::name).toList()) + '\n';
    }

    private String total(Card card) {
        return micros(kernels.stream().flatMap(kernel -> kernel.estimates().stream())
                .filter(estimate -> estimate.card().equals(card.name()))
                .mapToDouble(KernelProfile.Estimate::micros).sum()) + "  ";
    }

    /** Rows of equal length as lines, the first column to the left and the others to the right. */
    private static String table(List<List<String>> rows) {
        List<Integer> columns = IntStream.range(0, rows.getFirst().size())
                .filter(i -> rows.size() == 1 || rows.stream().skip(1).anyMatch(row -> !row.get(i).equals(NONE)))
                .boxed().toList();
        var text = new StringBuilder();
        for (List<String> row : rows) {
            for (int i : columns) {
                int width = rows.stream().mapToInt(each -> each.get(i).length()).max().orElse(0);
                text.append((i == 0 ? "%-" + width + "s" : "  %" + width + "s").formatted(row.get(i)));
            }
            text.append('\n');
        }
        return text.toString();
    }

    /** Two digits or more: {@code 0.4}, {@code 12}. */
    private static String percent(double share) {
        return share == 0 ? NONE : String.format(Locale.ROOT, share < 0.0995 ? "%.1f" : "%.0f", 100 * share);
    }

    private static String ratio(double ratio) {
        return ratio == 0 ? NONE : String.format(Locale.ROOT, "%.2f", ratio);
    }

    private static String micros(double value) {
        return value < 99_999.5 ? digits(value) : scaled(Math.round(value));
    }

    /** Three significant digits with k, M, G or T. */
    private static String scaled(long value) {
        if (value == 0) {
            return NONE;
        }
        double rest = value;
        int step = 0;
        while (rest >= 999.5 && step < UNITS.length()) {
            rest /= 1000;
            step++;
        }
        return step == 0 ? Long.toString(value) : digits(rest) + UNITS.charAt(step - 1);
    }

    private static String digits(double value) {
        return String.format(Locale.ROOT, value < 9.995 ? "%.2f" : value < 99.95 ? "%.1f" : "%.0f", value);
    }
}
