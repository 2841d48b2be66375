package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Methods;
import jdiffusion.model.family.Progress;
import jdiffusion.model.family.PromptWeights;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Weights in prompts of families that read them with T5, UMT5 and CLIP-L, by the formulas in PyTorch. */
class T5WeightsTest {
    private static final Backend BACKEND = new CpuBackend(2, Precision.F32);
    /** Of encoders of two layers in float32, on values up to about 4, and of 4 decimals. */
    private static final double CLOSE = 5e-4;

    @AfterAll
    static void close() {
        BACKEND.close();
    }

    private static Conditioning encode(Pipeline pipeline, String prompt, PromptWeights weights) {
        GenerationRequest request = TinyModels.request(pipeline).prompt(prompt).negativePrompt("").guidance(1)
                .methods(Methods.NONE.withWeights(weights)).build();
        pipeline.check(request);
        return pipeline.encode(request, Progress.NONE).getFirst();
    }

    @ParameterizedTest
    @ValueSource(strings = {"flux-dev", "pixart-sigma", "auraflow"})
    void theNumbersAreThoseOfTheFormulas(String family, @TempDir Path folder) {
        JsonNode all = TestData.json(TestData.pipelines().resolveSibling("guiders").resolve("t5-weights.json"));
        int[] compared = {0};
        try (Pipeline pipeline = Pipeline.open(TinyModels.write(family, folder), BACKEND)) {
            all.properties().forEach(entry -> {
                String[] key = entry.getKey().split("\\|");
                if (!key[0].equals(family)) {
                    return;
                }
                Conditioning got = encode(pipeline, key[2], PromptWeights.of("weights", key[1]));
                float[] context = got.context().toArray();
                float[] pooled = family.equals("flux-dev") ? got.pooled().toArray() : new float[0];
                int pooledCount = Math.ceilDiv(pooled.length, 5);
                int rows = entry.getValue().size() - pooledCount;
                for (int i = 0; i < rows; i++) {
                    assertThat((double) context[13 * i]).as("%s, value %d", entry.getKey(), 13 * i)
                            .isCloseTo(entry.getValue().get(i).asDouble(), within(CLOSE));
                }
                for (int i = 0; i < pooledCount; i++) {
                    assertThat((double) pooled[5 * i]).as("%s, pooled %d", entry.getKey(), 5 * i)
                            .isCloseTo(entry.getValue().get(rows + i).asDouble(), within(CLOSE));
                }
                compared[0]++;
            });
            assertThat(compared[0]).isEqualTo(2);
            // Without a weight nothing differs, and brackets alone are text.
            assertThat(encode(pipeline, "a red circle", PromptWeights.COMFYUI).context().toArray())
                    .isEqualTo(encode(pipeline, "a red circle", PromptWeights.NONE).context().toArray());
            assertThat(encode(pipeline, "a (red:1.3) circle", PromptWeights.NONE).context().toArray())
                    .isNotEqualTo(encode(pipeline, "a (red:1.3) circle", PromptWeights.COMFYUI).context().toArray());
        }
    }
}
