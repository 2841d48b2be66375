package jdiffusion.model.sdxl;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.Map;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.Compute;
import jdiffusion.model.OnEmulatedDevice;
import jdiffusion.model.Trace;
import jdiffusion.model.EmulatedCuda;
import jdiffusion.model.stage.Stage;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;
import org.junit.jupiter.api.Test;

/** The UNet by the CUDA kernels on the emulated device: as exact as its products' inputs allow, in few launches. */
@OnEmulatedDevice
class UnetOnDeviceTest {
    private static final int[] SEEDS = {1};
    private static final int BLOCK_LAUNCHES = 11;
    private static final int RESNET_LAUNCHES = 9;
    private static final int GROUP_NORM_LAUNCHES = 3;

    private static float[] evaluate(Backend backend) {
        float[][] result = new float[1][];
        TinyUnet.run(backend, stage -> result[0] = TinyUnet.evaluate(stage.compute().backend(), stage.compute(),
                stage.model(), SEEDS));
        return result[0];
    }

    private static float[] onCpu(Precision precision) {
        try (Backend backend = new CpuBackend(2, precision)) {
            return evaluate(backend);
        }
    }

    private static double rms(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += Math.pow(a[i] - b[i], 2);
        }
        return Math.sqrt(sum / a.length);
    }

    @Test
    void isOffByAtMostTwiceTheRoundingOfInputs() {
        float[] exact = onCpu(Precision.F32);
        double rounding = rms(onCpu(Precision.BF16), exact);
        assertThat(rounding).isPositive();
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, true)) {
            assertThat(rms(evaluate(cuda.backend()), exact)).isLessThanOrEqualTo(2 * rounding);
            assertThat(cuda.allocatedBytes()).isZero();
        }
        // Convolutions, whose inputs may be beyond float16, read bfloat16 here too.
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.F16, false)) {
            assertThat(rms(evaluate(cuda.backend()), exact)).isLessThanOrEqualTo(rounding);
        }
    }

    /**
     * Launches by what was seen after them, in the second evaluation: the first also projects the times of all. Showing
     * costs one launch, which is left out.
     */
    @Test
    void fewLaunches() {
        Map<String, Long> seen = new LinkedHashMap<>();
        long[] block = new long[1];
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, false)) {
            TinyUnet.run(cuda.backend(), stage -> {
                Compute plain = stage.compute();
                Compute traced = new Compute(plain.backend(), plain.workspace(), (name, module, tensor, heads) -> {
                    if (!stage.counting()) {
                        seen.put(name, cuda.backend().launches());
                    }
                    return false;
                });
                TinyUnet.evaluate(plain.backend(), traced, stage.model(), SEEDS);
                block[0] = block(stage, cuda);
            });
        }
        long resnet = seen.get("down.0.resnet.0") - seen.get("conv_in") - 1;
        long widening = seen.get("down.1.resnet.0") - seen.get("down.0") - 1;
        long transformer = seen.get("down.1.attention.0") - seen.get("down.1.resnet.0") - 1;
        assertThat(block[0]).isEqualTo(BLOCK_LAUNCHES);
        assertThat(resnet).isEqualTo(RESNET_LAUNCHES);
        assertThat(widening).isEqualTo(RESNET_LAUNCHES);
        assertThat(transformer).isEqualTo(BLOCK_LAUNCHES + GROUP_NORM_LAUNCHES + 2);
    }

    /** Launches of the first block alone. */
    private static long block(Stage<Unet> stage, EmulatedCuda cuda) {
        Unet unet = stage.model();
        Workspace w = stage.compute().workspace();
        int width = unet.transformers().getFirst().width();
        int pixels = 20;
        Tensor x = w.f32(2, pixels, width);
        var text = TransformerBlock.Text.in(w, 2, 77, width);
        var buffers = TransformerBlock.Buffers.in(w, 2, pixels, width);
        AttentionShape shape = AttentionShape.of(2, width / UnetSizes.HEAD, UnetSizes.HEAD);
        long before = cuda.backend().launches();
        unet.blocks().run(0, 1, (block, _) -> block.apply(stage.compute().backend(), Trace.NONE, shape,
                text, buffers, x));
        return cuda.backend().launches() - before;
    }
}
