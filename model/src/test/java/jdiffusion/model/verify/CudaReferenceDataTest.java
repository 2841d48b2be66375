package jdiffusion.model.verify;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.EmulatedCuda;
import jdiffusion.model.OnEmulatedDevice;
import jdiffusion.model.TestData;
import jdiffusion.model.reference.Comparison;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Denoisers, text encoders and the VAE by the CUDA kernels, every traced tensor of the reference data: its error is at
 * most twice that which the CPU has when it rounds the inputs of products to bfloat16 and nothing else.
 */
@OnEmulatedDevice
class CudaReferenceDataTest {
    private static final double ANY = Double.MAX_VALUE;
    /** What is exact on the CPU may be off by roundings of float32. */
    private static final double FLOAT_ROUNDING = 1e-6;
    /** FLUX.1's packed latents, which products read, are bfloat16 on a device; CPUs without pairs keep float32. */
    private static final String OPERAND = "packed";
    private static final double OPERAND_ROUNDING = 0x1p-9;

    @TestFactory
    Stream<DynamicTest> components() {
        Path root = TestData.reference();
        return Stream.of("denoiser", "text_encoder", "vae", "taesd", "sdxl/unet", "sdxl/text_encoder",
                "auraflow/transformer", "auraflow/text_encoder", "auraflow/vae", "flux/transformer", "flux/vae",
                "pixart/transformer", "pixart/text_encoder").flatMap(name ->
                ReferenceFolder.find(root.resolve(name)).stream()).map(folder ->
                DynamicTest.dynamicTest(folder.path().getFileName().toString(), () -> compare(folder)));
    }

    private static void compare(ReferenceFolder folder) {
        Map<String, Double> rounding = new HashMap<>();
        try (Backend cpu = new CpuBackend(2, Precision.BF16)) {
            for (Comparison c : verify(cpu, folder)) {
                rounding.put(c.tensor(), c.rmsError());
            }
        }
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, true)) {
            List<Comparison> all = verify(cuda.backend(), folder);
            assertThat(all).isNotEmpty().allSatisfy(c -> assertThat(c.rmsError()).as(c.tensor())
                    .isLessThanOrEqualTo(Math.max(2 * rounding.get(c.tensor()) + FLOAT_ROUNDING,
                            c.tensor().equals(OPERAND) ? OPERAND_ROUNDING : 0)));
        }
    }

    private static List<Comparison> verify(Backend backend, ReferenceFolder folder) {
        return new Verifier(backend, ANY, null, TestData.defaultModel()).verify(folder);
    }
}
