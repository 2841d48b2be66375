package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.EmulatedCuda;
import jdiffusion.model.OnEmulatedDevice;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.guidance.AttentionChange;
import jdiffusion.model.guidance.NumberTable;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.synthetic.SyntheticFiles;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** FLUX.1's and AuraFlow's attention that guidance changes, in blocks of two streams and of one, beside diffusers'. */
class JointAttentionGuidersTest {
    private static final JsonNode REFERENCE = TestData.json(TestData.pipelines().resolveSibling("guiders")
            .resolve("joint.json"));
    private static final int WIDTH = 12;
    private static final int HEIGHT = 8;
    private static final int TEXT = 5;
    /** Every so many numbers are in the reference. */
    private static final int STEP = 7;
    /** Of float32 through four blocks, on values of about 1; the reference has 5 decimals. */
    private static final double CLOSE = 1e-4;

    @ParameterizedTest
    @ValueSource(strings = {"flux-dev", "auraflow"})
    void isDiffusers(String family) {
        try (var backend = new CpuBackend(2, Precision.F32)) {
            compare(backend, family, "plain", null, CLOSE);
            // The second block of two streams, and the second of one.
            compare(backend, family, "pag", new AttentionChange(List.of(1, 3), 0), CLOSE);
            compare(backend, family, "seg", new AttentionChange(List.of(1, 3), Double.POSITIVE_INFINITY), CLOSE);
        }
    }

    /** The device's own error without any change is what the change may add to once more. */
    @ParameterizedTest
    @ValueSource(strings = {"flux-dev", "auraflow"})
    @OnEmulatedDevice
    void onADevice(String family) {
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, false)) {
            float[] plain = run(cuda.backend(), family, null);
            double own = 0;
            for (int i = 0; i < plain.length; i += STEP) {
                own = Math.max(own, Math.abs(plain[i] - REFERENCE.get(family + " plain").get(i / STEP).asDouble()));
            }
            compare(cuda.backend(), family, "pag", new AttentionChange(List.of(1, 3), 0), 2 * own);
            compare(cuda.backend(), family, "seg", new AttentionChange(List.of(1, 3), Double.POSITIVE_INFINITY),
                    2 * own);
        }
    }

    private static void compare(Backend backend, String family, String name, AttentionChange change,
                                double tolerance) {
        float[] values = run(backend, family, change);
        JsonNode wanted = REFERENCE.get(family + " " + name);
        assertThat(Math.ceilDiv(values.length, STEP)).isEqualTo(wanted.size());
        for (int i = 0; i < values.length; i += STEP) {
            assertThat((double) values[i]).as("%s %s, value %d", family, name, i)
                    .isCloseTo(wanted.get(i / STEP).asDouble(), within(tolerance));
        }
    }

    private static float[] run(Backend backend, String family, AttentionChange change) {
        try (SyntheticFiles files = new SyntheticFiles(Families.synthetic(family).tiny(new Vocabularies(882, 882,
                1100)), EnumSet.of(Component.DENOISER), DType.F32, TestData.defaultModel())) {
            return Stages.run(backend, files.open(Component.DENOISER), false, Component.DENOISER, "transformer",
                    Families.of(files)::loadDenoiser, (Stage<Denoiser> stage) -> {
                        Workspace w = stage.compute().workspace();
                        var config = stage.model().config();
                        Map<String, Tensor> text = new HashMap<>(Map.of(Conditioning.CONTEXT, Tensor.of(NumberTable
                                .of(51, TEXT * config.contextDim()), TEXT, config.contextDim())));
                        if (config.pooledDim() > 0) {
                            text.put(Conditioning.POOLED, Tensor.of(NumberTable.of(52, config.pooledDim()),
                                    config.pooledDim()));
                            text.put("guidance", Tensor.of(new float[] {3.5f}, 1));
                        }
                        var run = stage.model().start(stage.compute(), new DenoiserSetup(List.of(
                                new Conditioning(text)), 1, HEIGHT, WIDTH, new float[] {700}, List.of(), null, change,
                                Double.NaN));
                        int channels = config.inChannels();
                        Tensor latents = w.f32(1, channels, HEIGHT, WIDTH);
                        Tensor out = w.f32(1, channels, HEIGHT, WIDTH);
                        stage.compute().backend().upload(NumberTable.of(50, channels * HEIGHT * WIDTH), latents);
                        run.predict(latents, 700, out);
                        return stage.download(out);
                    }, _ -> { });
        }
    }
}
