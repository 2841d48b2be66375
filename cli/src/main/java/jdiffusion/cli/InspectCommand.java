package jdiffusion.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import jdiffusion.model.image.Png;
import jdiffusion.tensor.InputException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

/** Prints what a model or a picture holds. */
@Command(name = "inspect", mixinStandardHelpOptions = true, versionProvider = Version.class,
        header = "Show what a model folder, a weights file or a picture holds.",
        description = "Loads every component as 'generate' would; exits with 1 when one would not load.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion inspect models/shapes",
            "  jdiffusion inspect models/shapes/vae --tensors",
            "  jdiffusion inspect sd3.5_large_turbo-Q4_0.gguf --t5xxl t5xxl_fp16.safetensors",
            "  jdiffusion inspect output.png"})
final class InspectCommand implements Callable<Integer> {
    private static final double MEBI = 1 << 20;
    private static final int LEAST_TYPES = 12;
    private static final int LEAST_TYPE = 8;

    @Parameters(arity = "0..1", paramLabel = "PATH",
            description = "Model folder, component folder, .safetensors file, its index, .gguf file, or a PNG picture."
                + " Default: that of --model, or models/shapes beside the program.")
    private Path path;

    @Mixin
    private ModelOptions model;

    @Option(names = "--tensors", description = "List every tensor with its type and shape.")
    private boolean tensors;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @CommandLine.ParentCommand
    private Main main;

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @Override
    public Integer call() {
        if (path != null && model.model != null) {
            throw new ParameterException(spec.commandLine(), "what to inspect is given twice, as " + path
                    + " and with --model");
        }
        model.model = path == null ? model.model : path;
        path = model.path();
        PrintStream out = main.out();
        if (path.toString().toLowerCase(Locale.ROOT).endsWith(".png") && !Files.isDirectory(path)) {
            Map<String, String> texts = Png.texts(path);
            if (texts.isEmpty()) {
                throw new InputException(path + ": the picture carries no texts");
            }
            printPicture(out, texts);
            return Main.OK;
        }
        Inspection inspection = Inspection.of(path, model.sources(Set.of()));
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
        out.println(Console.oneLine(inspection.path()) + ":"
                + (inspection.family().isEmpty() ? "" : " " + inspection.family() + ",") + " "
                + millions(inspection.parameters()) + " parameters, " + mebi(inspection.bytes()));
        int widest = inspection.parts().stream().mapToInt(part -> types(part).length()).max().orElse(0);
        String row = "%-18s %8s %12s %12s  %-" + Math.max(LEAST_TYPES, widest) + "s %s%n";
        out.printf(row, "part", "tensors", "parameters", "size", "types", "status");
        for (Inspection.Part part : inspection.parts()) {
            boolean weights = !part.tensors().isEmpty();
            out.printf(row, part.name(), weights ? part.tensors().size() : "",
                    weights ? millions(part.parameters()) : "", weights ? mebi(part.bytes()) : "",
                    types(part),
                    part.status() + (part.ok() && !part.place().isEmpty() ? " (" + part.place() + ")" : ""));
            if (tensors) {
                String line = "  %-70s %-" + part.types().keySet().stream().mapToInt(String::length)
                        .reduce(LEAST_TYPE, Math::max) + "s %s%n";
                part.tensors().forEach(tensor -> out.printf(line, tensor.name(), tensor.type(), tensor.shape()));
            }
        }
        inspection.facts().forEach((name, fact) -> out.println(name + ": " + fact));
    }

    private static String types(Inspection.Part part) {
        return String.join("+", part.types().keySet());
    }

    private ObjectNode toJson(Inspection inspection) {
        ObjectNode root = new ObjectMapper().createObjectNode().put("path", inspection.path().toString())
                .put("family", inspection.family()).put("ok", inspection.ok())
                .put("parameters", inspection.parameters()).put("bytes", inspection.bytes());
        ArrayNode parts = root.putArray("parts");
        for (Inspection.Part part : inspection.parts()) {
            ObjectNode node = parts.addObject().put("name", part.name()).put("ok", part.ok())
                    .put("status", part.status()).put("place", part.place()).put("parameters", part.parameters())
                    .put("bytes", part.bytes()).put("tensor_count", part.tensors().size());
            ObjectNode types = node.putObject("types");
            part.types().forEach(types::put);
            if (tensors) {
                ArrayNode lines = node.putArray("tensors");
                part.tensors().forEach(tensor -> lines.addObject().put("name", tensor.name())
                        .put("type", tensor.type()).put("shape", tensor.shape()));
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
