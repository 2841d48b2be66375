package jdiffusion.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import jdiffusion.kernels.Scope;
import jdiffusion.kernels.profile.ProfileSummary;
import jdiffusion.kernels.profile.ProfileSummary.Part;
import jdiffusion.kernels.profile.ProfileSummary.Stage;
import jdiffusion.kernels.profile.ProfileSummary.Work;

/** A profile as a person reads it, in lines of at most 110 characters. */
final class ProfileText {
    /** Shapes that take a smaller share of the time are put together. */
    private static final double SMALL = 0.002;
    private static final int LONGEST_SHAPE = 48;

    private final ProfileSummary report;
    private final double peak;

    private ProfileText(ProfileSummary report) {
        this.report = report;
        this.peak = report.peak();
    }

    static List<String> lines(ProfileSummary report) {
        ProfileText text = new ProfileText(report);
        List<String> lines = new ArrayList<>(text.operations());
        lines.add("");
        lines.addAll(text.stages());
        lines.add("");
        lines.addAll(text.summary());
        return lines;
    }

    private List<String> operations() {
        Table table = new Table("operation", "times", "ms", "% of all", "ms each", "GFLOP/s", "% of peak", "MB each",
                "GB/s");
        Map<String, List<Work>> kinds = new LinkedHashMap<>();
        report.operations().forEach(work -> kinds.computeIfAbsent(work.kind(), _ -> new ArrayList<>()).add(work));
        kinds.values().stream().sorted((a, b) -> Double.compare(sum(b).seconds(), sum(a).seconds())).forEach(kind -> {
            Work all = sum(kind);
            row(table, all.kind() + (kind.size() == 1 ? " " + all.shape() : ""), all);
            if (kind.size() > 1 && all.seconds() > SMALL * report.seconds()) {
                List<Work> small = kind.stream().filter(work -> work.seconds() < SMALL * report.seconds()).toList();
                kind.stream().filter(work -> !small.contains(work)).forEach(
                        work -> row(table, "  " + shortened(work.shape()), work));
                if (!small.isEmpty()) {
                    row(table, "  " + small.size() + " smaller", sum(small));
                }
            }
        });
        return table.lines();
    }

    private static String shortened(String shape) {
        return shape.length() <= LONGEST_SHAPE ? shape : shape.substring(0, LONGEST_SHAPE - 3) + "...";
    }

    private void row(Table table, String name, Work work) {
        table.row(name, Integer.toString(work.count()), Table.millis(work.seconds()),
                Table.percent(work.seconds() / report.seconds()), Table.millis(work.seconds() / work.count()),
                Table.giga(work.flops(), work.seconds()), ofPeak(work.flops(), work.seconds()),
                Table.digits(work.bytes() / work.count() / 1e6), Table.giga(work.bytes(), work.seconds()));
    }

    private String ofPeak(double flops, double seconds) {
        return Table.percent(peak == 0 || seconds == 0 ? 0 : flops / seconds / peak);
    }

    private static Work sum(List<Work> works) {
        return works.stream().reduce(Work::plus).orElseThrow();
    }

    private List<String> stages() {
        Table table = new Table("stage and block", "times", "ms", "% of all", "ms each", "% products", "GFLOP/s",
                "% of peak");
        for (Stage stage : report.stages()) {
            List<Part> parts = stage.parts();
            row(table, stage.name(), stage.count(), 1, stage.seconds(), parts);
            for (int i = 1; i < parts.size();) {
                int end = i + 1;
                while (end < parts.size() && alike(parts.get(i), parts.get(end), end - i)) {
                    end++;
                }
                part(table, parts.subList(i, end));
                i = end;
            }
            if (parts.size() > 1) {
                row(table, "  rest", stage.count(), 1, parts.getFirst().seconds(), parts.subList(0, 1));
            }
        }
        return table.lines();
    }

    /** Equal blocks one after the other. */
    private static boolean alike(Part a, Part b, int distance) {
        return a.index() != Scope.ONCE && a.name().equals(b.name()) && b.index() == a.index() + distance
                && a.count() == b.count() && a.flops() == b.flops() && a.bytes() == b.bytes();
    }

    private void part(Table table, List<Part> parts) {
        Part first = parts.getFirst();
        String name = first.name().equals(Scope.STEP) ? Scope.STEP + ", without blocks" : first.name();
        String range = first.index() == Scope.ONCE ? "" : parts.size() == 1 ? "." + first.index()
                : "." + first.index() + " to " + parts.getLast().index();
        row(table, "  " + name + range, first.count(), parts.size(), parts.stream().mapToDouble(Part::seconds).sum(),
                parts);
    }

    private void row(Table table, String name, int count, int blocks, double seconds, List<Part> parts) {
        double products = parts.stream().mapToDouble(Part::products).sum();
        double flops = parts.stream().mapToDouble(Part::flops).sum();
        table.row(name, blocks == 1 ? Integer.toString(count) : blocks + "x" + count, Table.millis(seconds),
                Table.percent(seconds / report.seconds()), Table.millis(seconds / blocks / count),
                Table.percent(seconds == 0 ? 0 : products / seconds), Table.giga(flops, seconds),
                ofPeak(flops, seconds));
    }

    private List<String> summary() {
        double all = report.seconds();
        double products = report.seconds(true);
        double others = report.seconds(false);
        double flops = report.operations().stream().mapToDouble(Work::flops).sum();
        List<String> lines = new ArrayList<>();
        lines.add(String.format(Locale.ROOT, "of %.2f s: products (linear, attention, conv2d) %.1f %%, other operations"
                + " %.1f %%, outside of operations %.1f %%", all, 100 * products / all, 100 * others / all,
                100 * (all - products - others) / all));
        lines.add(String.format(Locale.ROOT, "%.2f TFLOP in products: %s GFLOP/s while they ran, %s of all the time",
                flops / 1e12, Table.giga(flops, products), Table.giga(flops, all)));
        if (peak > 0) {
            lines.add(String.format(Locale.ROOT, "peak: %.0f GFLOP/s, multiply-adds on registers on all threads,"
                    + " measured after the run", peak / 1e9));
        }
        lines.add("bytes: what must be read and written at least, weights as stored; each operation is waited for");
        return lines;
    }
}
