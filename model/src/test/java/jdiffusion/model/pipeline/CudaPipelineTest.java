package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.Compute;
import jdiffusion.model.EmulatedCuda;
import jdiffusion.model.OnEmulatedDevice;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.sd3.Mmdit;
import jdiffusion.model.sd3.MmditRun;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.stage.Stages;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;
import org.junit.jupiter.api.Test;

/** The default model on the emulated CUDA device: the same picture, few launches, nothing left behind. */
@OnEmulatedDevice
class CudaPipelineTest {
    private static final int MOST_LAUNCHES = 14;
    private static final double MOST_DIFFERENCE = 2;

    @Test
    void drawsThePictureOfTheCpu() {
        int[] cpu;
        try (Backend backend = new CpuBackend()) {
            cpu = draw(backend);
        }
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, false)) {
            long before = cuda.allocatedBytes();
            assertThat(meanDifference(draw(cuda.backend()), cpu)).isLessThan(MOST_DIFFERENCE);
            assertThat(cuda.allocatedBytes()).isEqualTo(before);
        }
    }

    private static int[] draw(Backend backend) {
        Pipeline pipeline = Pipeline.open(TestData.defaultModel(), backend);
        GenerationRequest request = pipeline.request("a red circle on a blue background").toBuilder()
                .size(64, 64).steps(4).t5Length(20).seed(1).build();
        Picture picture = pipeline.generate(request, Progress.NONE).getFirst();
        byte[] rgb = picture.rgb();
        int[] values = new int[rgb.length];
        for (int i = 0; i < rgb.length; i++) {
            values[i] = rgb[i] & 0xff;
        }
        return values;
    }

    private static double meanDifference(int[] a, int[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += Math.abs(a[i] - b[i]);
        }
        return sum / a.length;
    }

    @Test
    void aBlockIsFewLaunches() {
        List<Long> launches = new ArrayList<>();
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, true)) {
            Stages.run(cuda.backend(), Families.open(TestData.defaultModel(), ModelSources.NONE)
                    .open(Component.DENOISER), false, Component.DENOISER, "transformer", Mmdit::load, (Stage<Mmdit> stage) -> {
                        evaluate(stage, () -> launches.add(cuda.backend().launches()));
                        return null;
                    }, _ -> { });
        }
        for (int i = 1; i < launches.size(); i++) {
            assertThat(launches.get(i) - launches.get(i - 1)).as("launches of block %d", i - 1)
                    .isPositive().isLessThanOrEqualTo(MOST_LAUNCHES);
        }
    }

    /** @param atBlock called before the first block and after each, when it is not only counted */
    private static void evaluate(Stage<Mmdit> stage, Runnable atBlock) {
        Compute plain = stage.compute();
        Mmdit model = stage.model();
        int[] calls = {0};
        Compute compute = new Compute(plain.backend(), plain.workspace(), (name, module, tensor, heads) -> {
            if (name.equals("conditioning") || name.startsWith("block.") && name.endsWith(".image")) {
                calls[0]++;
                if (!stage.counting()) {
                    atBlock.run();
                }
            }
            return false;
        });
        Workspace w = compute.workspace();
        MmditRun run = new MmditRun(model, compute, 2, 8, 8, 93);
        Tensor latents = w.f32(2, 16, 8, 8);
        run.setText(w.operand(2, 93, model.config().contextDim()), w.operand(2, model.config().pooledDim()));
        run.velocity(latents, 500, List.of(), w.f32(2, 16, 8, 8));
        assertThat(calls[0]).isEqualTo(model.blocks().size() + 1);
        assertThat(model.config().dualBlocks()).isNotEmpty();
    }
}
