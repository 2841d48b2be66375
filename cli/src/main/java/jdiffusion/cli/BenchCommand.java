package jdiffusion.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.cuda.CudaBackend;
import jdiffusion.kernels.Precision;
import jdiffusion.model.bench.Measurement;
import jdiffusion.model.bench.Part;
import jdiffusion.model.bench.Settings;
import jdiffusion.model.bench.Shapes;
import jdiffusion.model.device.Devices;
import jdiffusion.model.families.Families;
import jdiffusion.model.synthetic.SyntheticKind;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.tensor.InputException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Measures a model's parts on this machine. */
@Command(name = "bench", mixinStandardHelpOptions = true, versionProvider = Version.class, sortOptions = false,
        header = "Measure how fast this machine is.",
        description = "Times a model's parts on random weights of true shapes, bfloat16, made in memory: gemm,"
            + " attention and conv (single operations), blocks (each kind of block of FLUX.1's denoiser), denoiser (one"
            + " evaluation), vae (decoding), text (each encoder), image (a whole picture). Each runs once, or for a"
            + " second, before its runs count; before each run that counts the peak of multiply-adds on registers is"
            + " measured on all threads. Shares are medians of both.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion bench",
            "  jdiffusion bench denoiser --size 1024 --precision bf16",
            "  jdiffusion bench blocks --family flux-dev --size 1024 --text 512",
            "  jdiffusion bench text vae --cpu avx2 --threads 1 --json",
            "  jdiffusion bench image --steps 4 --runs 1"})
final class BenchCommand implements Callable<Integer> {
    private static final int[] SIZES = {512, 1024};
    /** A tiny denoiser knows positions for little more. */
    private static final int TINY_SIZE = 128;
    private static final int STEPS = 28;
    private static final int MOST_RUNS = 1000;
    private static final double WARM_UP_SECONDS = 1;

    @Parameters(arity = "0..*", paramLabel = "PART",
            description = "gemm, attention, conv, blocks, denoiser, vae, text or image. Default: gemm attention conv.")
    private List<String> parts = List.of();

    @Option(names = "--family", paramLabel = "NAME", defaultValue = "sd35-medium",
            completionCandidates = Choices.Synthetic.class,
            description = "One of ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.")
    private String family;

    @Option(names = "--size", paramLabel = "PIXELS",
            description = "Side of a square picture, a multiple of 16. Default: 512, of gemm and attention also 1024,"
                + " of whole parts with --tiny 128.")
    private Integer size;

    @Option(names = {"-W", "--width"}, paramLabel = "PIXELS", description = "For other than square pictures.")
    private Integer width;

    @Option(names = {"-H", "--height"}, paramLabel = "PIXELS", description = "The same.")
    private Integer height;

    @Option(names = "--batch", paramLabel = "N",
            description = "Sequences or pictures at once. Default: 1, of denoiser and image 2, for guidance.")
    private Integer batch;

    @Option(names = "--text", paramLabel = "TOKENS", defaultValue = "256",
            description = "Tokens of T5; SD3's denoiser reads 77 more. Default: ${DEFAULT-VALUE}.")
    private int text;

    @Option(names = "--steps", paramLabel = "N", description = "Steps of image. Default: 28.")
    private Integer steps;

    @Option(names = "--runs", paramLabel = "N", defaultValue = "5",
            description = "Runs that count. Default: ${DEFAULT-VALUE}.")
    private int runs;

    @Option(names = "--precision", paramLabel = "NAME", completionCandidates = Choices.Precisions.class,
            description = "Inputs of matrix products: ${COMPLETION-CANDIDATES}. Default: bf16. With"
                    + " fp8 gemm is measured, alone, on weights in e4m3.")
    private String precision = "bf16";

    @Option(names = "--tiny", description = "Small sizes of the same structure, to try out.")
    private boolean tiny;

    @Mixin
    private DeviceOptions deviceOptions;

    @Option(names = "--json", description = "Print JSON, times in seconds.")
    private boolean json;

    @CommandLine.ParentCommand
    private Main main;

    @Override
    public Integer call() {
        boolean float8 = Devices.precision(precision) == Precision.FP8;
        List<Part> usual = float8 ? List.of(Part.GEMM) : Part.DEFAULT;
        List<Part> chosen = parts.isEmpty() ? usual : parts.stream().map(Part::of).distinct().toList();
        if (runs < 1 || runs > MOST_RUNS) {
            throw new InputException("--runs is " + runs + "; use 1 to " + MOST_RUNS);
        }
        if (steps != null && !chosen.contains(Part.IMAGE)) {
            throw new InputException("--steps " + steps + " is for image, which is not measured; add image, or leave"
                    + " --steps out");
        }
        if (steps != null && (steps < 1 || steps > MOST_RUNS)) {
            throw new InputException("--steps is " + steps + "; use 1 to " + MOST_RUNS);
        }
        if (float8 && !chosen.equals(List.of(Part.GEMM))) {
            throw new InputException("--precision fp8 is for weights that are stored as fp8, which only gemm has here;"
                    + " use 'bench gemm', or another precision");
        }
        SyntheticModel model = model();
        chosen.forEach(part -> shapes(part).forEach(shapes -> part.check(model, shapes)));
        Settings settings = new Settings(runs, tiny ? 0 : WARM_UP_SECONDS, steps == null ? STEPS : steps,
                chosen.contains(Part.IMAGE) ? DefaultModel.find() : null);
        List<Measurement> measurements = new ArrayList<>();
        try (Devices.Opened opened = Devices.open(deviceOptions.choice(), precision, main.err()::println);
                DeviceAccount _ = deviceOptions.account(opened, "jdiffusion bench", main.err())) {
            Backend backend = opened.backend();
            main.err().println(backend.describe());
            for (Part part : chosen) {
                for (Shapes shapes : shapes(part)) {
                    part.measure(backend, model, shapes, settings, main.err()::println, measurements::add);
                }
            }
            if (json) {
                main.out().println(toJson(backend, measurements));
            } else {
                lines(backend, measurements).forEach(main.out()::println);
            }
        }
        return Main.OK;
    }

    private SyntheticModel model() {
        SyntheticKind kind = Families.synthetic(family);
        return tiny ? kind.tiny(Vocabularies.PUBLISHED) : kind.full();
    }

    /** At what sizes a part is measured; fails when one cannot be. */
    private List<Shapes> shapes(Part part) {
        int usual = tiny && !part.isOfTwoSizes() ? TINY_SIZE : SIZES[0];
        int of = batch == null ? part.isGuided() ? 2 : 1 : batch;
        List<Shapes> shapes = new ArrayList<>();
        for (int side : size != null || width != null || height != null || !part.isOfTwoSizes()
                ? new int[] {size == null ? usual : size} : SIZES) {
            shapes.add(new Shapes(width == null ? side : width, height == null ? side : height, of, text));
        }
        return shapes;
    }

    private List<String> lines(Backend backend, List<Measurement> measurements) {
        Table table = new Table("what", "ms", "spread %", "GFLOP/s", "% of peak", "% products", "cores", "MB",
                "GB/s", "MB temp.");
        for (Measurement m : measurements) {
            table.row(m.part() + " " + m.what(), Table.millis(m.median()), Table.percent(m.spread()),
                    Table.giga(m.flops(), m.median()), Table.percent(m.ofPeak()), Table.percent(m.products()),
                    String.format(Locale.ROOT, "%.1f", m.cores()), Table.digits(m.bytes() / 1e6),
                    Table.giga(m.bytes(), m.median()), Table.digits(m.workspace() / 1e6));
        }
        List<String> lines = new ArrayList<>(table.lines());
        lines.add(family + (tiny ? ", tiny" : "") + " on " + backend.describe() + "; ms: the median of " + runs
                + (runs == 1 ? " run" : " runs"));
        if (backend instanceof CudaBackend cuda) {
            lines.add("kernels: " + String.join(", ", cuda.kernelNames()));
        }
        lines.add("cores: CPU time for each second; MB, GB/s: what must be read and written at least; MB temp.:"
                + " workspace");
        double low = measurements.stream().mapToDouble(Measurement::peak).min().orElse(0);
        double high = measurements.stream().mapToDouble(Measurement::peak).max().orElse(0);
        if (high > 0) {
            lines.add(String.format(Locale.ROOT, "peak: %.0f to %.0f GFLOP/s, multiply-adds on registers on all"
                    + " threads, between the runs", low / 1e9, high / 1e9));
        }
        long resident = ProcessMemory.peakBytes();
        if (resident > 0) {
            lines.add(String.format(Locale.ROOT, "memory: at most %.0f MB of the process, its weights included",
                    resident / 1e6));
        }
        return lines;
    }

    private ObjectNode toJson(Backend backend, List<Measurement> measurements) {
        ObjectNode root = new ObjectMapper().createObjectNode().put("version", Version.line()).put("family", family)
                .put("tiny", tiny).put("device", backend.describe())
                .put("precision", backend.precision().label()).put("runs", runs)
                .put("peak_process_bytes", ProcessMemory.peakBytes());
        ArrayNode rows = root.putArray("measurements");
        for (Measurement m : measurements) {
            ObjectNode row = rows.addObject().put("part", m.part()).put("what", m.what())
                    .put("median_seconds", m.median()).put("spread", m.spread()).put("flops", m.flops())
                    .put("flops_per_second", m.flops() / m.median()).put("peak_flops_per_second", m.peak())
                    .put("share_of_peak", m.ofPeak()).put("bytes", m.bytes())
                    .put("bytes_per_second", m.bytes() / m.median()).put("workspace_bytes", m.workspace())
                    .put("cores", m.cores());
            if (m.products() > 0) {
                row.put("products_share", m.products());
            }
            ArrayNode seconds = row.putArray("seconds");
            m.seconds().forEach(seconds::add);
        }
        return root;
    }
}
