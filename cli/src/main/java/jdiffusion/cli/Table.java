package jdiffusion.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/** Lines of columns as wide as their contents: the first to the left, the others to the right. */
final class Table {
    private static final String NONE = "-";

    private final List<List<String>> rows = new ArrayList<>();

    Table(String... header) {
        rows.add(List.of(header));
    }

    /** @param cells as many as the header has */
    Table row(String... cells) {
        rows.add(List.of(cells));
        return this;
    }

    /** Columns in which there is nothing but dashes are left out. */
    List<String> lines() {
        List<Integer> columns = IntStream.range(0, rows.getFirst().size())
                .filter(i -> rows.stream().skip(1).anyMatch(row -> !row.get(i).equals(NONE))).boxed().toList();
        int[] widths = columns.stream().mapToInt(i -> rows.stream().mapToInt(row -> row.get(i).length()).max()
                .orElse(0)).toArray();
        return rows.stream().map(row -> line(row, columns, widths)).toList();
    }

    private static String line(List<String> row, List<Integer> columns, int[] widths) {
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < widths.length; i++) {
            String cell = row.get(columns.get(i));
            String padding = " ".repeat(widths[i] - cell.length());
            line.append(i == 0 ? cell + padding : "  " + padding + cell);
        }
        return line.toString().stripTrailing();
    }

    /** Milliseconds with three significant digits or more. */
    static String millis(double seconds) {
        return digits(1e3 * seconds);
    }

    /** A share of a whole in per cent; a dash when there is none. */
    static String percent(double share) {
        return share == 0 || !Double.isFinite(share) ? NONE : String.format(Locale.ROOT, "%.1f", 100 * share);
    }

    /** Billions a second; a dash when there is nothing. */
    static String giga(double amount, double seconds) {
        return amount == 0 || seconds == 0 ? NONE : digits(amount / seconds / 1e9);
    }

    /** A whole number, or what of it is significant. */
    static String digits(double value) {
        return String.format(Locale.ROOT, value < 0.9995 ? "%.3f" : value < 9.995 ? "%.2f" : value < 99.95 ? "%.1f"
                : "%.0f", value);
    }
}
