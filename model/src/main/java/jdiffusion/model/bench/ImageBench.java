package jdiffusion.model.bench;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.profile.ProfileSummary;
import jdiffusion.kernels.profile.ProfileSummary.Work;
import jdiffusion.kernels.profile.ProfilingBackend;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.model.synthetic.SyntheticFiles;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.tensor.DType;

/**
 * Measures whole pictures from prompt to pixels, without T5, whose weights would not fit beside the others: its part
 * of the context is zeros, which the denoiser reads all the same.
 */
final class ImageBench {
    private static final double NANO = 1e-9;

    private final Backend backend;
    private final Settings settings;
    private final Consumer<String> progress;

    ImageBench(Backend backend, Settings settings, Consumer<String> progress) {
        this.backend = backend;
        this.settings = settings;
        this.progress = progress;
    }

    Measurement measure(SyntheticModel model, Shapes s) {
        int steps = settings.steps();
        int runs = settings.runs();
        String what = s + ", " + steps + (steps == 1 ? " step" : " steps") + (s.batch() == 1 ? "" : " with guidance")
                + ", without T5";
        progress.accept("image " + what + ": making its weights");
        Stopwatch watch = new Stopwatch(backend);
        double products = 0;
        ProfileSummary summary = null;
        long[] workspace = new long[1];
        Progress memory = new Progress() {
            @Override
            public void used(Stage stage, StageMemory used) {
                workspace[0] = Math.max(workspace[0], used.workspace());
            }
        };
        try (SyntheticFiles files = new SyntheticFiles(model,
                measured(model), DType.BF16,
                settings.tokenizers())) {
            progress.accept("image " + what + ": warming up");
            run(files, backend, s, 1, Progress.NONE);
            for (int i = 1; i <= runs; i++) {
                progress.accept("image " + what + ": run " + i + " of " + runs);
                ProfilingBackend measuring = new ProfilingBackend(backend);
                watch.run(1, () -> run(files, measuring, s, steps, memory));
                long nanos = (long) (watch.seconds().getLast() / NANO);
                summary = ProfileSummary.of(measuring.profile(), nanos, watch.peaks().getLast());
                products += summary.seconds(true) / summary.seconds() / runs;
            }
        }
        return new Measurement("image", what, watch.seconds(),
                summary.operations().stream().mapToDouble(Work::flops).sum(),
                summary.operations().stream().mapToDouble(Work::bytes).sum(), watch.peaks(),
                watch.cores(), workspace[0], products);
    }

    /** All but T5. */
    private static Set<Component> measured(SyntheticModel model) {
        Set<Component> all = EnumSet.copyOf(model.parts().keySet());
        all.remove(Component.T5);
        return all;
    }

    private static void run(SyntheticFiles files, Backend on, Shapes s, int steps, Progress progress) {
        try (Pipeline pipeline = Pipeline.open(files, on)) {
            GenerationRequest.Builder request = pipeline.request("a photograph of a harbour at dawn").toBuilder()
                    .size(s.width(), s.height()).steps(steps).t5(false)
                    .guidance(s.batch() == 1 ? 1 : pipeline.variant().guidance());
            if (pipeline.family().components().contains(Component.T5)) {
                request.t5Length(s.text());
            }
            if (pipeline.denoiserConfig().inChannels() > pipeline.denoiserConfig().outChannels()) {
                byte[] white = new byte[3 * s.width() * s.height()];
                Arrays.fill(white, (byte) 0xff);
                Picture picture = new Picture(s.width(), s.height(), white);
                request.init(picture, 1).mask(picture);
            }
            GenerationRequest one = request.build();
            if (!pipeline.family().components().contains(Component.T5)
                    || pipeline.family().drawsWithout(Component.T5)) {
                pipeline.generate(one, progress);
            } else {
                pipeline.decode(one, pipeline.denoise(one, blank(pipeline, one), progress), progress);
            }
        }
    }

    /** In place of a text that nothing but T5 could read. */
    private static List<Conditioning> blank(Pipeline pipeline, GenerationRequest request) {
        Conditioning none = pipeline.family().blank(pipeline.denoiserConfig(), request.t5Length());
        return request.guided() ? List.of(none, none) : List.of(none);
    }
}
