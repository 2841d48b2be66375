package jdiffusion.model.stage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.counting.CountingBackend;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.pipeline.MemoryChoice;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the published models take at 1024x1024, and what is chosen for cards of several sizes. */
class FullSizePlanTest {
    private static final double GIB = 1 << 30;

    @TempDir
    private Path folder;

    private Pipeline cuda(String denoiser, boolean fourBit, Offload offload) {
        return Pipeline.open(ManifestModel.of(denoiser, fourBit, folder), CountingBackend.ofCuda(Precision.BF16),
                MemoryPolicy.of(offload));
    }

    private static GenerationRequest request(Pipeline pipeline) {
        return pipeline.request("").toBuilder().size(1024, 1024).guidance(5).t5Length(256).build();
    }

    private static double gib(Pipeline pipeline, boolean text) {
        return pipeline.plan(request(pipeline), text).peak() / GIB;
    }

    @Test
    void publishedModelsFit() {
        assertThat(gib(cuda("sd35-medium", false, Offload.NONE), false)).isBetween(4.0, 9.9);
        assertThat(gib(cuda("sd35-medium", true, Offload.STAGES), true)).isBetween(1.0, 8.0);
        assertThat(gib(cuda("sd3-medium", true, Offload.SEQUENTIAL), true)).isBetween(1.0, 5.0);
        assertThat(gib(cuda("sd35-large", true, Offload.STAGES), true)).isBetween(4.0, 12.0);
    }

    /** FLUX.1's 12 billion parameters in 4 bits on a card of 12 GiB, streamed on one of 4, whole on large ones. */
    @Test
    void fluxFits() {
        assertThat(gib(flux(true, Offload.STAGES), true)).isBetween(6.0, 9.0);
        assertThat(gib(flux(true, Offload.SEQUENTIAL), true)).isBetween(0.5, 3.0);
        assertThat(gib(flux(false, Offload.SEQUENTIAL), true)).isBetween(1.0, 4.0);
        assertThat(gib(flux(false, Offload.STAGES), true)).isBetween(22.1, 24.0);
    }

    private Pipeline flux(boolean fourBit, Offload offload) {
        return Pipeline.open(ManifestModel.ofFlux("dev", fourBit, folder), CountingBackend.ofCuda(Precision.BF16),
                MemoryPolicy.of(offload));
    }

    /** The denoiser's matrices alone are 2.03 billion numbers of two bytes, beside the positions that stay outside. */
    @Test
    void aPlanIsNoLessThanTheWeights() {
        Pipeline pipeline = cuda("sd35-medium", false, Offload.STAGES);
        StageMemory denoiser = pipeline.plan(request(pipeline)).stages().get(3);
        long positions = 147_456L * 1536;
        assertThat(denoiser.weights()).isBetween(2 * (2_469_663_936L - positions - 4_000_000),
                2 * (2_469_663_936L - positions) + 909 * 256);
    }

    @Test
    void theCpuTakesTilesByItself() {
        Pipeline pipeline = Pipeline.open(ManifestModel.of("sd35-medium", false, folder),
                CountingBackend.ofCpu(Precision.F32, DType.F32));
        MemoryPlan plan = pipeline.plan(request(pipeline));
        assertThat(plan.peak()).isLessThan(1L << 30);
        assertThat(plan.stages().getLast().tile()).isEqualTo(512);
    }

    @Test
    void theFastestThatFitsIsChosen() {
        Pipeline pipeline = cuda("sd35-medium", false, Offload.STAGES);
        assertThat(choice(pipeline, 24, 2)).contains("offload none").doesNotContain("tiles");
        assertThat(choice(pipeline, 24, 1)).contains("offload stages").doesNotContain("tiles");
        assertThat(choice(pipeline, 8, 2)).contains("offload stages, text_encoder_3 streamed").doesNotContain("tiles")
                .doesNotContain("transformer");
        assertThat(choice(pipeline, 4, 1)).contains("text_encoder_3 streamed, transformer streamed");
        assertThat(choice(pipeline, 1.5, 1)).contains("VAE in tiles of 512 pixels");
        assertThatThrownBy(() -> choice(pipeline, 0.25, 1)).isInstanceOf(InputException.class)
                .hasMessageStartingWith("256.0 MiB of memory do not suffice: ").hasMessageContaining(" at the least");
    }

    private static String choice(Pipeline pipeline, double gib, int images) {
        MemoryPolicy budget = pipeline.policy().withBudget((long) (gib * GIB));
        MemoryChoice choice = MemoryChoice.of(pipeline.withPolicy(budget),
                request(pipeline).toBuilder().images(images).build(), null);
        assertThat(choice.plan().peak()).isLessThanOrEqualTo(budget.budget());
        return choice.describe();
    }
}
