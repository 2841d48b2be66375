package jdiffusion.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.model.checkpoint.UnsupportedModelException;
import jdiffusion.model.device.Devices;
import jdiffusion.model.reference.Comparison;
import jdiffusion.model.verify.ReferenceFolder;
import jdiffusion.model.verify.Verifier;
import jdiffusion.tensor.InputException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Recomputes folders of reference data and prints how far each tensor is off. */
@Command(name = "verify", mixinStandardHelpOptions = true, sortOptions = false,
        header = "Compare with what a reference implementation computed.",
        description = {
            "Each folder with an io.safetensors, at any depth, is recomputed: components (config.json and weights"
                + " beside it) and whole pipelines (request.json beside it). So is other data: noise levels and walks"
                + " over them, random numbers, token ids.",
            "A tensor passes when its relative RMS error is within the tolerance; latents of a pipeline may have ten"
                + " times as much, and a picture also passes when 99.9 %% of its values are within 1/255. Exit code 1"
                + " when any tensor fails.",
            "--model is for all pipelines; without it each takes the one that its request names, or models/shapes."},
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion verify reference/",
            "  jdiffusion verify reference/pipelines --model models/shapes --precision bf16"})
final class VerifyCommand implements Callable<Integer> {
    private static final double EXACT = 1e-4;
    /** Several times what rounding operands to bfloat16 gives in the denoisers, encoders and the VAE. */
    private static final double ROUNDED = 2e-2;

    @Parameters(arity = "1..*", paramLabel = "DIR", description = "Folders of reference data, or files in them.")
    private List<Path> folders;

    @Mixin
    private ModelOptions model;

    @Option(names = "--tolerance", paramLabel = "X",
            description = "Relative RMS error that passes. Default: 1e-4, and 2e-2 in bf16 and f16.")
    private Double tolerance;

    @Option(names = "--precision", paramLabel = "TYPE",
            description = "f32, bf16, f16 or fp8. Default: f32 on the CPU, bf16 on CUDA devices.")
    private String precision;

    @Mixin
    private DeviceOptions deviceOptions;

    @CommandLine.ParentCommand
    private Main main;

    private int width;
    private int compared;
    private int failed;

    @Override
    public Integer call() {
        if (tolerance != null && !(tolerance >= 0)) {
            throw new InputException("--tolerance is " + tolerance + "; use 0 or more");
        }
        List<ReferenceFolder> references = new ArrayList<>();
        folders.forEach(folder -> references.addAll(ReferenceFolder.find(folder)));
        int verified = 0;
        List<String> unread = new ArrayList<>();
        folders.forEach(folder -> ReferenceFolder.unknown(folder).forEach(file ->
                unread.add(file + " not verified: no check is known for such a file")));
        try (Devices.Opened opened = Devices.open(deviceOptions.choice(), precision, main.err()::println);
                DeviceAccount _ = deviceOptions.account(opened, "jdiffusion verify", main.err())) {
            Backend backend = opened.backend();
            main.err().println(backend.describe());
            Verifier verifier = new Verifier(backend, tolerance != null ? tolerance
                    : backend.precision() == Precision.F32 ? EXACT : ROUNDED, model.given() ? model.path() : null,
                    model.sources(Set.of()), DefaultModel.find());
            header(references);
            try {
                for (ReferenceFolder reference : references) {
                    try {
                        verifier.verify(reference).forEach(this::row);
                        verified++;
                    } catch (UnsupportedModelException e) {
                        unread.add(reference.path() + " not verified: " + e.getMessage());
                    }
                }
            } finally {
                // Also when one folder ends it all: what was verified before is as good as ever.
                main.out().printf("%d tensors in %d folders, %d failed%n", compared, verified, failed);
                unread.forEach(main.out()::println);
            }
        }
        if (compared == 0) {
            throw new InputException("nothing could be verified");
        }
        return failed == 0 ? Main.OK : Main.FAILED;
    }

    private void header(List<ReferenceFolder> references) {
        width = references.stream().mapToInt(r -> r.path().toString().length()).max().orElse(0);
        main.out().printf("%-" + width + "s  %-30s %-20s %10s %10s %8s  %s%n", "component", "tensor", "shape",
                "max error", "rms error", "<= 1/255", "verdict");
    }

    private void row(Comparison c) {
        compared++;
        failed += c.passed() ? 0 : 1;
        String within = Double.isNaN(c.within()) ? "" : String.format(Locale.ROOT, "%.2f %%", 100 * c.within());
        main.out().printf(Locale.ROOT, "%-" + width + "s  %-30s %-20s %10.2e %10.2e %8s  %s%n", c.component(),
                c.tensor(), c.shape(), c.maxError(), c.rmsError(), within, c.passed() ? "ok" : "FAILED");
    }
}
