package jdiffusion.model.sd3;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.EmulatedCuda;
import jdiffusion.model.AttentionSite;
import jdiffusion.model.OnEmulatedDevice;
import jdiffusion.model.TestData;
import jdiffusion.model.Trace;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.guidance.AttentionChange;
import jdiffusion.model.guidance.NumberTable;
import jdiffusion.model.nn.Attending;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.stage.Stages;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;
import org.junit.jupiter.api.Test;

/** Attention that guidance changes, beside diffusers'. */
class ChangedAttentionTest {
    private static final JsonNode REFERENCE = TestData.json(TestData.pipelines().resolveSibling("guiders")
            .resolve("attention.json"));
    /** Of float32 through four blocks, on values of about 1; the reference has 5 decimals. */
    private static final double CLOSE = 1e-4;
    /** Of bfloat16 products. */
    private static final double ROUNDED = 0.06;

    @Test
    void theTransformerIsDiffusers() {
        try (var backend = new CpuBackend(2, Precision.F32)) {
            compare(backend, "plain", null, 12, CLOSE);
            compare(backend, "pag", new AttentionChange(List.of(1, 2), 0), 12, CLOSE);
            compare(backend, "seg", new AttentionChange(List.of(1, 2), Double.POSITIVE_INFINITY), 8, CLOSE);
        }
    }

    @Test
    @OnEmulatedDevice
    void onADevice() {
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, true)) {
            compare(cuda.backend(), "pag", new AttentionChange(List.of(1, 2), 0), 12, ROUNDED);
            compare(cuda.backend(), "seg", new AttentionChange(List.of(1, 2), Double.POSITIVE_INFINITY), 8, ROUNDED);
        }
    }

    private static void compare(Backend backend, String name, AttentionChange change, int width, double tolerance) {
        float[] values = Stages.run(backend, Families.open(TestData.defaultModel(), ModelSources.NONE)
                .open(Component.DENOISER), false, Component.DENOISER, "transformer", Sd3Denoiser::load,
                (Stage<Sd3Denoiser> stage) -> {
                    Workspace w = stage.compute().workspace();
                    Conditioning text = Conditioning.of(Tensor.of(NumberTable.of(51, 5 * 256), 5, 256),
                            Tensor.of(NumberTable.of(52, 192), 192));
                    var run = stage.model().start(stage.compute(), new DenoiserSetup(List.of(text), 1, 8, width,
                            new float[] {700}, List.of(), null, change, Double.NaN));
                    Tensor latents = w.f32(1, 16, 8, width);
                    Tensor out = w.f32(1, 16, 8, width);
                    stage.compute().backend().upload(NumberTable.of(50, 16 * 8 * width), latents);
                    run.predict(latents, 700, out);
                    return stage.download(out);
                }, _ -> { });
        JsonNode wanted = REFERENCE.get(name);
        assertThat(values).hasSize(wanted.size());
        for (int i = 0; i < values.length; i++) {
            assertThat((double) values[i]).as("%s, value %d", name, i).isCloseTo(wanted.get(i).asDouble(),
                    within(tolerance));
        }
    }

    /** With zero keys attention is the mean of values: so what the queries become can be seen in a second attention. */
    @Test
    void theBlurIsAGaussian() {
        try (var backend = new CpuBackend(1, Precision.F32); Workspace w = backend.newWorkspace(1 << 16)) {
            Tensor q = w.operand(1, 49, 3);
            Tensor k = w.operand(1, 49, 3);
            Tensor out = w.operand(1, 49, 3);
            backend.upload(NumberTable.of(40, 147), q);
            backend.upload(new float[147], k);
            Attending.of(new AttentionChange(List.of(5), 1)).run(backend, Trace.NONE, AttentionSite.SELF, 5,
                    AttentionShape.of(1, 1, 3),
                    List.of(AttentionStream.of(q, k, k, out)), 7);
            float[] blurred = backend.download(q);
            for (int i = 0; i < blurred.length; i++) {
                assertThat((double) blurred[i]).as("value %d", i).isCloseTo(REFERENCE.get("blur").get(i).asDouble(),
                        within(CLOSE));
            }
        }
    }
}
