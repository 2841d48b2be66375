package jdiffusion.model.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.checkpoint.Models;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.pipeline.Progress;
import org.junit.jupiter.api.Test;

/** What the denoiser reads when encoders are left out; the default model's CLIPs are 64 and 128 wide. */
class MissingEncodersTest {
    private static final int T5_TOKENS = 8;
    private static final int CLIP_TOKENS = PromptEncoder.CLIP_LENGTH;
    private static final int L = 64;
    private static final int G = 128;

    private static PromptEmbedding encode(Component... leftOut) {
        ModelSources sources = new ModelSources(Map.of(), Set.of(leftOut), null, null);
        try (CpuBackend backend = new CpuBackend(2, Precision.F32);
                Pipeline pipeline = Pipeline.open(Models.open(TestData.defaultModel(), sources), backend)) {
            var request = pipeline.request("a red circle").toBuilder().size(32, 32).guidance(1).t5Length(T5_TOKENS)
                    .build();
            pipeline.check(request);
            return pipeline.encode(request, Progress.NONE).getFirst();
        }
    }

    private static float[] columns(PromptEmbedding embedding, int from, int to) {
        int width = embedding.context().length / embedding.tokens();
        float[] cut = new float[CLIP_TOKENS * (to - from)];
        for (int i = 0; i < CLIP_TOKENS; i++) {
            System.arraycopy(embedding.context(), i * width + from, cut, i * (to - from), to - from);
        }
        return cut;
    }

    private static float[] t5(PromptEmbedding embedding) {
        int width = embedding.context().length / embedding.tokens();
        return Arrays.copyOfRange(embedding.context(), embedding.context().length - T5_TOKENS * width,
                embedding.context().length);
    }

    @Test
    void zerosStandInForAClipThatIsLeftOut() {
        PromptEmbedding all = encode();
        int pooledG = all.pooled().length - L;
        PromptEmbedding withoutL = encode(Component.CLIP_L);
        assertThat(withoutL.tokens()).isEqualTo(CLIP_TOKENS + T5_TOKENS);
        assertThat(columns(withoutL, 0, L)).containsOnly(0);
        assertThat(columns(withoutL, L, L + G)).containsExactly(columns(all, L, L + G));
        assertThat(Arrays.copyOf(withoutL.pooled(), L)).containsOnly(0);
        assertThat(Arrays.copyOfRange(withoutL.pooled(), L, L + pooledG))
                .containsExactly(Arrays.copyOfRange(all.pooled(), L, L + pooledG));
        assertThat(t5(withoutL)).containsExactly(t5(all));

        PromptEmbedding withoutG = encode(Component.CLIP_G);
        assertThat(columns(withoutG, 0, L)).containsExactly(columns(all, 0, L));
        assertThat(columns(withoutG, L, L + G)).containsOnly(0);
        assertThat(Arrays.copyOf(withoutG.pooled(), L)).containsExactly(Arrays.copyOf(all.pooled(), L));
        assertThat(Arrays.copyOfRange(withoutG.pooled(), L, L + pooledG)).containsOnly(0);
    }

    @Test
    void withoutAnyClipTheContextIsT5sAlone() {
        PromptEmbedding t5 = encode(Component.CLIP_L, Component.CLIP_G);
        assertThat(t5.tokens()).isEqualTo(T5_TOKENS);
        assertThat(t5.context()).containsExactly(t5(encode()));
        assertThat(t5.pooled()).containsOnly(0);
    }

    @Test
    void withoutT5ItsRowsAreZero() {
        PromptEmbedding clips = encode(Component.T5);
        assertThat(clips.tokens()).isGreaterThan(CLIP_TOKENS);
        assertThat(t5(clips)).containsOnly(0);
        assertThat(columns(clips, 0, L + G)).containsExactly(columns(encode(), 0, L + G));
    }
}
