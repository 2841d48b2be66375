package jdiffusion.model.sd3;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.Progress;
import jdiffusion.model.family.TextEncoders;
import jdiffusion.model.pipeline.Pipeline;
import org.junit.jupiter.api.Test;

/** What the denoiser reads when encoders are left out; the default model's CLIPs are 64 and 128 wide. */
class MissingEncodersTest {
    private static final int T5_TOKENS = 8;
    private static final int CLIP_TOKENS = TextEncoders.CLIP_LENGTH;
    private static final int L = 64;
    private static final int G = 128;

    private static Conditioning encode(Component... leftOut) {
        ModelSources sources = new ModelSources(Map.of(), Set.of(leftOut), null, null);
        try (CpuBackend backend = new CpuBackend(2, Precision.F32);
                Pipeline pipeline = Pipeline.open(Families.open(TestData.defaultModel(), sources), backend)) {
            var request = pipeline.request("a red circle").toBuilder().size(32, 32).guidance(1).t5Length(T5_TOKENS)
                    .build();
            pipeline.check(request);
            return pipeline.encode(request, Progress.NONE).getFirst();
        }
    }

    private static float[] columns(Conditioning embedding, int from, int to) {
        float[] context = embedding.context().toArray();
        int width = embedding.context().cols();
        float[] cut = new float[CLIP_TOKENS * (to - from)];
        for (int i = 0; i < CLIP_TOKENS; i++) {
            System.arraycopy(context, i * width + from, cut, i * (to - from), to - from);
        }
        return cut;
    }

    private static float[] t5(Conditioning embedding) {
        float[] context = embedding.context().toArray();
        return Arrays.copyOfRange(context, context.length - T5_TOKENS * embedding.context().cols(), context.length);
    }

    @Test
    void zerosStandInForAClipThatIsLeftOut() {
        Conditioning all = encode();
        int pooledG = all.pooled().cols() - L;
        Conditioning withoutL = encode(Component.CLIP_L);
        assertThat(withoutL.context().rows()).isEqualTo(CLIP_TOKENS + T5_TOKENS);
        assertThat(columns(withoutL, 0, L)).containsOnly(0);
        assertThat(columns(withoutL, L, L + G)).isEqualTo(columns(all, L, L + G));
        assertThat(Arrays.copyOf(withoutL.pooled().toArray(), L)).containsOnly(0);
        assertThat(Arrays.copyOfRange(withoutL.pooled().toArray(), L, L + pooledG))
                .containsExactly(Arrays.copyOfRange(all.pooled().toArray(), L, L + pooledG));
        assertThat(t5(withoutL)).containsExactly(t5(all));

        Conditioning withoutG = encode(Component.CLIP_G);
        assertThat(columns(withoutG, 0, L)).isEqualTo(columns(all, 0, L));
        assertThat(columns(withoutG, L, L + G)).containsOnly(0);
        assertThat(Arrays.copyOf(withoutG.pooled().toArray(), L)).containsExactly(Arrays.copyOf(all.pooled().toArray(), L));
        assertThat(Arrays.copyOfRange(withoutG.pooled().toArray(), L, L + pooledG)).containsOnly(0);
    }

    @Test
    void withoutAnyClipTheContextIsT5sAlone() {
        Conditioning t5 = encode(Component.CLIP_L, Component.CLIP_G);
        assertThat(t5.context().rows()).isEqualTo(T5_TOKENS);
        assertThat(t5.context().toArray()).containsExactly(t5(encode()));
        assertThat(t5.pooled().toArray()).containsOnly(0);
    }

    @Test
    void withoutT5ItsRowsAreZero() {
        Conditioning clips = encode(Component.T5);
        assertThat(clips.context().rows()).isGreaterThan(CLIP_TOKENS);
        assertThat(t5(clips)).containsOnly(0);
        assertThat(columns(clips, 0, L + G)).isEqualTo(columns(encode(), 0, L + G));
    }
}
