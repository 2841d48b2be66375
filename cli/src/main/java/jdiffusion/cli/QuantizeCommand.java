package jdiffusion.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.quantize.QuantizeReport;
import jdiffusion.model.quantize.QuantizeReport.Row;
import jdiffusion.model.quantize.QuantizeRules;
import jdiffusion.tensor.InputException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Tells what quantising a model would change. */
@Command(name = "quantize", mixinStandardHelpOptions = true, versionProvider = Version.class, sortOptions = false,
        header = "Report the error that quantising a model makes.",
        description = "For each tensor its type, relative RMS error and largest error, or why it is kept. 'convert"
            + " --quantize' writes the result, 'generate --quantize' draws with it.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion quantize --report models/shapes --quantize nf4",
            "  jdiffusion quantize --report DIR --quantize denoiser=q8_0 --json"})
final class QuantizeCommand implements Callable<Integer> {
    private static final double MEBI = 1 << 20;

    @Parameters(arity = "0..1", paramLabel = "MODEL",
            description = "Model folder or file. Default: models/shapes beside the program.")
    private Path source;

    @Option(names = "--report", description = "Print the report, which is all that this command does.")
    private boolean report;

    @Mixin
    private QuantizeOptions quantizing;

    @Mixin
    private ExportChoices choices;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @CommandLine.ParentCommand
    private Main main;

    @Override
    public Integer call() {
        if (quantizing.quantize == null) {
            throw new InputException("--quantize is missing; say what to quantise, for example --quantize nf4");
        }
        ModelOptions model = new ModelOptions();
        model.model = source;
        List<Row> rows = new ArrayList<>();
        Set<Component> components = choices.components(EnumSet.allOf(Component.class));
        ModelFiles files = model.open(Set.of());
        QuantizeRules rules = quantizing.rules(files);
        if (!json) {
            main.out().printf("%-12s %-52s %-16s %-12s %-12s %9s %9s %6s%n", "component", "tensor", "shape", "from",
                    "to", "rms error", "max error", "bits");
        }
        QuantizeReport.of(files, components, rules, row -> {
            rows.add(row);
            if (!json) {
                print(row);
            }
        });
        if (json) {
            main.out().println(toJson(rows));
        } else {
            totals(rows);
        }
        return Main.OK;
    }

    private void print(Row row) {
        String start = String.format("%-12s %-52s %-16s %-12s ", row.component().option(), row.name(), row.shape(),
                row.from());
        main.out().println(start + (row.to() == null ? "kept: " + row.reason() : String.format(Locale.ROOT,
                "%-12s %9.2e %9.2e %6.3f", row.to(), row.rmsError(), row.maxError(), row.bits())));
    }

    private void totals(List<Row> rows) {
        List<Row> quantised = rows.stream().filter(row -> row.to() != null).toList();
        long elements = quantised.stream().mapToLong(row -> row.shape().size()).sum();
        long before = rows.stream().mapToLong(Row::bytes).sum();
        long after = rows.stream().mapToLong(Row::stored).sum();
        double largest = quantised.stream().mapToDouble(Row::rmsError).max().orElse(0);
        double mean = quantised.stream().mapToDouble(Row::rmsError).average().orElse(0);
        main.out().printf(Locale.ROOT, "%d of %d tensors quantised, %.1f M parameters in %.3f bits each; relative RMS"
                + " error %.2e at the most, %.2e on average%n", quantised.size(), rows.size(), elements / 1e6,
                elements == 0 ? 0 : 8.0 * quantised.stream().mapToLong(Row::stored).sum() / elements, largest, mean);
        main.out().printf(Locale.ROOT, "%.1f MiB before, %.1f MiB after%n", before / MEBI, after / MEBI);
    }

    private static ObjectNode toJson(List<Row> rows) {
        ObjectNode root = new ObjectMapper().createObjectNode();
        ArrayNode tensors = root.putArray("tensors");
        for (Row row : rows) {
            ObjectNode node = tensors.addObject().put("component", row.component().option()).put("name", row.name());
            ArrayNode shape = node.putArray("shape");
            for (int dim : row.shape().dims()) {
                shape.add(dim);
            }
            node.put("from", row.from());
            if (row.to() == null) {
                node.put("kept", row.reason());
            } else {
                node.put("to", row.to()).put("rms_error", row.rmsError()).put("max_error", row.maxError());
            }
            node.put("bits", row.bits()).put("bytes_before", row.bytes()).put("bytes_after", row.stored());
        }
        return root.put("bytes_before", rows.stream().mapToLong(Row::bytes).sum())
                .put("bytes_after", rows.stream().mapToLong(Row::stored).sum());
    }
}
