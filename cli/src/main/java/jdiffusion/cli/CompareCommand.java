package jdiffusion.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import jdiffusion.model.experiment.PictureError;
import jdiffusion.model.experiment.TensorError;
import jdiffusion.model.experiment.TensorFile;
import jdiffusion.model.image.PictureFile;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Compares two recordings, or two pictures. */
@Command(name = "compare", mixinStandardHelpOptions = true, versionProvider = Version.class, sortOptions = false,
        header = "Compare two recordings, or two pictures.",
        description = "Of .safetensors and .npz files: the first tensor that differs, in the order of the run, and the"
            + " error of each. Of pictures: PSNR and SSIM. Exits with 1 when they differ.",
        footerHeading = "%nExamples:%n",
        footer = {"  jdiffusion compare a.safetensors b.npz", "  jdiffusion compare patched.png patched.plain.png"})
final class CompareCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "A", description = "A recording or a picture.")
    private Path a;

    @Parameters(index = "1", paramLabel = "B", description = "Another of the same kind.")
    private Path b;

    @Option(names = "--differing", description = "List only what differs.")
    private boolean differing;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @CommandLine.ParentCommand
    private Main main;

    @Override
    public Integer call() {
        return isTensors(a) || isTensors(b) ? tensors() : pictures();
    }

    private static boolean isTensors(Path file) {
        String name = file.toString().toLowerCase(Locale.ROOT);
        return name.endsWith(".safetensors") || name.endsWith(".npz");
    }

    private int tensors() {
        List<TensorError> errors = TensorError.of(TensorFile.open(a).tensors(), TensorFile.open(b).tensors());
        TensorError first = errors.stream().filter(error -> !error.same()).findFirst().orElse(null);
        if (json) {
            ObjectNode root = new ObjectMapper().createObjectNode().put("same", first == null)
                    .put("first", first == null ? null : first.name());
            ArrayNode all = root.putArray("tensors");
            for (TensorError error : shown(errors)) {
                ObjectNode node = all.addObject().put("name", error.name()).put("same", error.same())
                        .put("shape", error.shape() == null ? null : error.shape().toString())
                        .put("other", error.other() == null ? null : error.other().toString());
                if (error.comparable()) {
                    number(node, "largest", error.largest());
                    number(node, "relative", error.relative());
                    number(node, "cosine", error.cosine());
                    node.put("different", error.different());
                }
            }
            main.out().println(root);
        } else {
            Table table = new Table("tensor", "shape", "different", "largest", "relative", "cosine");
            for (TensorError error : shown(errors)) {
                if (error.comparable()) {
                    table.row(error.name(), error.shape().toString(), Long.toString(error.different()),
                            format("%.3g", error.largest()), format("%.3g", error.relative()),
                            format("%.6f", error.cosine()));
                } else {
                    table.row(error.name(), error.shape() == null ? "not in " + a : error.other() == null
                            ? "not in " + b : error.shape() + " and " + error.other(), "-", "-", "-", "-");
                }
            }
            table.lines().forEach(main.out()::println);
            main.out().println(first == null ? "all " + errors.size() + " tensors are the same to the bit"
                    : "the first that differs: " + first.name());
        }
        return first == null ? Main.OK : Main.FAILED;
    }

    private List<TensorError> shown(List<TensorError> errors) {
        return errors.stream().filter(error -> !differing || !error.same()).toList();
    }

    private static String format(String format, double value) {
        return String.format(Locale.ROOT, format, value);
    }

    /** JSON knows no infinity. */
    private static void number(ObjectNode node, String name, double value) {
        if (Double.isFinite(value)) {
            node.put(name, value);
        } else {
            node.putNull(name);
        }
    }

    private int pictures() {
        PictureError error = PictureError.of(PictureFile.read(a), PictureFile.read(b));
        boolean same = error.different() == 0;
        if (json) {
            ObjectNode root = new ObjectMapper().createObjectNode().put("same", same);
            number(root, "psnr", error.psnr());
            number(root, "ssim", error.ssim());
            number(root, "mean", error.mean());
            root.put("largest", error.largest()).put("different", error.different());
            main.out().println(root);
        } else {
            main.out().println(same ? "the same picture" : String.format(Locale.ROOT,
                    "%d pixels differ; PSNR %.2f dB, SSIM %.4f, mean difference %.3f, largest %d of 255",
                    error.different(), error.psnr(), error.ssim(), error.mean(), error.largest()));
        }
        return same ? Main.OK : Main.FAILED;
    }
}
