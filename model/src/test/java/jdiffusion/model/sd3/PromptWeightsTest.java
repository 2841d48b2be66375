package jdiffusion.model.sd3;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Methods;
import jdiffusion.model.family.Progress;
import jdiffusion.model.family.PromptWeights;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

class PromptWeightsTest {
    private static final Backend BACKEND = new CpuBackend(2, Precision.F32);
    private static final Pipeline PIPELINE = Pipeline.open(TestData.defaultModel(), BACKEND);
    /** Of two encoders of a few layers in float32, on values up to about 10, and of 4 decimals. */
    private static final double CLOSE = 5e-4;

    @AfterAll
    static void close() {
        PIPELINE.close();
        BACKEND.close();
    }

    private static GenerationRequest.Builder request(String prompt, PromptWeights weights) {
        return PIPELINE.request(prompt).toBuilder().size(64, 48).steps(2).t5Length(40)
                .methods(Methods.NONE.withWeights(weights));
    }

    private static Conditioning encode(String prompt, PromptWeights weights) {
        return PIPELINE.encode(request(prompt, weights).guidance(1).build(), Progress.NONE).getFirst();
    }

    /** The formulas in PyTorch: every 61st number of the context, then every 7th of the pooled text. */
    @Test
    void theNumbersAreThoseOfTheFormulas() {
        JsonNode all = TestData.json(TestData.pipelines().resolveSibling("guiders").resolve("weights.json"));
        assertThat(all.size()).isEqualTo(3);
        all.properties().forEach(entry -> {
            String[] key = entry.getKey().split("\\|");
            Conditioning got = encode(key[1], PromptWeights.of("weights", key[0]));
            float[] context = got.context().toArray();
            float[] pooled = got.pooled().toArray();
            int at = 0;
            for (int i = 0; i < context.length; i += 61) {
                assertThat((double) context[i]).as("%s, value %d", entry.getKey(), i)
                        .isCloseTo(entry.getValue().get(at++).asDouble(), within(CLOSE));
            }
            for (int i = 0; i < pooled.length; i += 7) {
                assertThat((double) pooled[i]).as("%s, pooled %d", entry.getKey(), i)
                        .isCloseTo(entry.getValue().get(at++).asDouble(), within(CLOSE));
            }
            assertThat(at).isEqualTo(entry.getValue().size());
        });
    }

    /** A prompt without weights that fits is read as without them, where a text is cut into no other words. */
    @Test
    void aPlainPromptIsTheSame() {
        for (PromptWeights weights : PromptWeights.values()) {
            assertThat(encode("a red circle on a blue background", weights).context().toArray())
                    .isEqualTo(encode("a red circle on a blue background", PromptWeights.NONE).context().toArray());
        }
        assertThat(encode("a (red:1.3) circle", PromptWeights.NONE).context().toArray())
                .isNotEqualTo(encode("a (red:1.3) circle", PromptWeights.A1111).context().toArray());
    }

    @Test
    void longPromptsHaveChunks() {
        String prompt = "red circle, ".repeat(40);
        assertThat(encode(prompt, PromptWeights.NONE).context().rows()).isEqualTo(77 + 40);
        Conditioning chunks = encode(prompt, PromptWeights.A1111);
        assertThat(chunks.context().rows()).isEqualTo(2 * 77 + 40);
        assertThat(encode("a BREAK b BREAK c", PromptWeights.A1111).context().rows()).isEqualTo(3 * 77 + 40);
        assertThat(encode("a BREAK b BREAK c", PromptWeights.COMFYUI).context().rows()).isEqualTo(77 + 40);
    }

    /** Both branches have as many chunks; a picture is the same in a series. */
    @Test
    void wholeRequests() {
        for (PromptWeights weights : List.of(PromptWeights.A1111, PromptWeights.COMFYUI)) {
            GenerationRequest.Builder request = request("a (red:1.5) circle, ".repeat(25), weights)
                    .negativePrompt("(blue:1.2)").seed(7);
            byte[] alone = PIPELINE.generate(request.build(), Progress.NONE).getFirst().rgb();
            byte[] second = PIPELINE.generate(request.seed(6).images(2).build(), Progress.NONE).get(1).rgb();
            assertThat(second).isEqualTo(alone);
        }
        assertThatThrownBy(() -> PromptWeights.of("--weights", "invoke")).isInstanceOf(InputException.class)
                .hasMessageContaining("use one of none, a1111, comfyui");
    }
}
