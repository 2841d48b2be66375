package jdiffusion.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import jdiffusion.model.image.Png;
import jdiffusion.tensor.InputException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Prints what a model or a picture holds. */
@Command(name = "inspect", mixinStandardHelpOptions = true, versionProvider = Version.class,
        header = "Show what a model folder, a weights file or a picture holds.",
        description = "Loads every component as 'generate' would; exits with 1 when one would not load.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion inspect models/shapes",
            "  jdiffusion inspect models/shapes/vae --tensors",
            "  jdiffusion inspect output.png"})
final class InspectCommand implements Callable<Integer> {
    private static final double MEBI = 1 << 20;

    @Parameters(paramLabel = "PATH",
            description = "Model folder, component folder, .safetensors file, its index, or a PNG picture.")
    private Path path;

    @Option(names = "--tensors", description = "List every tensor with its type and shape.")
    private boolean tensors;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @CommandLine.ParentCommand
    private Main main;

    @Override
    public Integer call() {
        PrintStream out = main.out();
        if (path.toString().toLowerCase(Locale.ROOT).endsWith(".png") && !Files.isDirectory(path)) {
            Map<String, String> texts = Png.texts(path);
            if (texts.isEmpty()) {
                throw new InputException(path + ": the picture carries no texts");
            }
            printPicture(out, texts);
            return Main.OK;
        }
        Inspection inspection = Inspection.of(path);
        if (json) {
            out.println(toJson(inspection));
        } else {
            print(out, inspection);
        }
        return inspection.ok() ? Main.OK : Main.FAILED;
    }

    private void printPicture(PrintStream out, Map<String, String> texts) {
        if (json) {
            ObjectNode root = new ObjectMapper().createObjectNode().put("path", path.toString());
            ObjectNode node = root.putObject("texts");
            texts.forEach(node::put);
            out.println(root);
        } else {
            texts.forEach((keyword, text) -> out.println(keyword + ":\n" + text));
        }
    }

    private void print(PrintStream out, Inspection inspection) {
        out.println(inspection.path() + ":" + (inspection.family().isEmpty() ? "" : " " + inspection.family() + ",")
                + " " + millions(inspection.parameters()) + " parameters, " + mebi(inspection.bytes()));
        out.printf("%-18s %8s %12s %12s  %-10s %s%n", "part", "tensors", "parameters", "size", "types", "status");
        for (Inspection.Part part : inspection.parts()) {
            boolean weights = !part.tensors().isEmpty();
            out.printf("%-18s %8s %12s %12s  %-10s %s%n", part.name(), weights ? part.tensors().size() : "",
                    weights ? millions(part.parameters()) : "", weights ? mebi(part.bytes()) : "",
                    part.types().keySet().stream().map(Inspection::label).collect(Collectors.joining("+")),
                    part.status());
            if (tensors) {
                part.tensors().forEach(tensor -> out.printf("  %-70s %-8s %s%n", tensor.name(),
                        Inspection.label(tensor.type()), tensor.shape()));
            }
        }
        inspection.facts().forEach((name, fact) -> out.println(name + ": " + fact));
    }

    private ObjectNode toJson(Inspection inspection) {
        ObjectNode root = new ObjectMapper().createObjectNode().put("path", inspection.path().toString())
                .put("family", inspection.family()).put("ok", inspection.ok())
                .put("parameters", inspection.parameters()).put("bytes", inspection.bytes());
        ArrayNode parts = root.putArray("parts");
        for (Inspection.Part part : inspection.parts()) {
            ObjectNode node = parts.addObject().put("name", part.name()).put("ok", part.ok())
                    .put("status", part.status()).put("parameters", part.parameters()).put("bytes", part.bytes())
                    .put("tensor_count", part.tensors().size());
            ObjectNode types = node.putObject("types");
            part.types().forEach((type, count) -> types.put(Inspection.label(type), count));
            if (tensors) {
                ArrayNode lines = node.putArray("tensors");
                part.tensors().forEach(tensor -> lines.addObject().put("name", tensor.name())
                        .put("type", Inspection.label(tensor.type())).put("shape", tensor.shape()));
            }
        }
        ObjectNode facts = root.putObject("facts");
        inspection.facts().forEach(facts::put);
        return root;
    }

    private static String millions(long count) {
        return String.format(Locale.ROOT, "%.2f M", count / 1e6);
    }

    private static String mebi(long bytes) {
        return String.format(Locale.ROOT, "%.2f MiB", bytes / MEBI);
    }
}
