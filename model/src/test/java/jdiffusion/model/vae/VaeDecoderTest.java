package jdiffusion.model.vae;

import static org.assertj.core.api.Assertions.assertThat;

import jdiffusion.kernels.Precision;
import jdiffusion.kernels.counting.CountingBackend;
import jdiffusion.model.Compute;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.safetensors.Checkpoint;
import org.junit.jupiter.api.Test;

class VaeDecoderTest {
    /** The largest image is doubled before it has fewer channels: then it is held twice, beside half of one. */
    @Test
    void holdsNoMoreThanThreeTimesTheLargestImage() {
        var folder = TestData.defaultModel().resolve("vae");
        try (var backend = CountingBackend.ofCpu(Precision.F32, DType.F32);
                var weights = Checkpoint.open(folder, "diffusion_pytorch_model");
                var workspace = backend.measuringWorkspace()) {
            Vae vae = Vae.load(Weights.of(weights, backend.measuringPlacement(false)),
                    ConfigFile.read(folder.resolve("config.json")));
            int side = 12;
            Tensor latents = workspace.f32(1, vae.config().latentChannels(), side, side);
            backend.upload(new float[(int) latents.shape().size()], latents);
            vae.decode(new Compute(backend, workspace), latents);
            long pixels = (long) side * vae.config().factor() * side * vae.config().factor();
            assertThat(workspace.peak()).isLessThan(3 * pixels * vae.config().channels().get(1) * Float.BYTES);
        }
    }
}
