package jdiffusion.model.quantize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.families.Families;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What rules make of names and shapes. */
class QuantizeRulesTest {
    private static final String Q = "transformer_blocks.3.attn.to_q.weight";

    private static QuantizeRules.Decision decide(String rules, Component component, String name, int... dims) {
        return QuantizeRules.parse(rules).decide(Families.ALL.getFirst(), component, name, Shape.of(dims));
    }

    @Test
    void theLastRuleThatFitsCounts() {
        assertThat(decide("nf4", Component.DENOISER, Q, 64, 64).type()).isEqualTo(QuantType.NF4);
        assertThat(decide("nf4", Component.T5, "encoder.block.0.layer.0.SelfAttention.q.weight", 64, 64).type())
                .isEqualTo(QuantType.NF4);
        assertThat(decide("nf4", Component.CLIP_L, "text_model.encoder.layers.0.mlp.fc1.weight", 64, 64).reason())
                .isEqualTo("no rule asks for it");
        assertThat(decide("denoiser=nf4,t5=q8_0", Component.T5, "x.weight", 64, 64).type()).isEqualTo(QuantType.Q8_0);
        assertThat(decide(" nf4 , *.attn.* = q8_0 ", Component.DENOISER, Q, 64, 64).type()).isEqualTo(QuantType.Q8_0);
        assertThat(decide("*.attn.*=q8_0,nf4", Component.DENOISER, Q, 64, 64).type()).isEqualTo(QuantType.NF4);
        assertThat(decide("nf4,transformer_blocks.?.*=none", Component.DENOISER, Q, 64, 64).type()).isNull();
        assertThat(decide("nf4,transformer_blocks.?.*=none", Component.DENOISER,
                "transformer_blocks.13.attn.to_q.weight", 64, 64).type()).isEqualTo(QuantType.NF4);
        assertThat(decide("clip_g=fp8", Component.CLIP_G, "text_model.encoder.layers.0.mlp.fc1.weight", 4, 4).type())
                .isEqualTo(QuantType.FP8);
        assertThat(decide("nf4-double", Component.DENOISER, Q, 64, 64).type()).isEqualTo(QuantType.NF4_DOUBLE);
    }

    @ParameterizedTest
    @CsvSource({"DENOISER, context_embedder.weight, embedder", "DENOISER, proj_out.weight, final layer",
        "DENOISER, norm_out.linear.weight, final layer",
        "DENOISER, time_text_embed.timestep_embedder.linear_1.weight, embedder", "T5, shared.weight, token table",
        "T5, encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight, positions",
        "CLIP_L, text_model.embeddings.token_embedding.weight, token table",
        "CLIP_L, text_model.embeddings.position_embedding.weight, positions",
        "CLIP_L, text_projection.weight, final layer", "VAE, decoder.mid_block.attentions.0.to_q.weight, VAE"})
    void keptMatrices(Component component, String name, String reason) {
        assertThat(decide("denoiser=nf4,t5=nf4,clip-l=nf4", component, name, 64, 64).reason()).isEqualTo(reason);
    }

    @Test
    void otherKeptTensors() {
        assertThat(decide("nf4", Component.DENOISER, "pos_embed.pos_embed", 1, 4, 64).reason()).isEqualTo("positions");
        assertThat(decide("*=nf4", Component.DENOISER, "pos_embed.proj.weight", 64, 16, 2, 2).reason())
                .isEqualTo("patch embedding");
        assertThat(decide("*=nf4", Component.DENOISER, "a.norm_q.weight", 64).reason()).isEqualTo("norm");
        assertThat(decide("*=nf4", Component.DENOISER, "a.to_q.bias", 64).reason()).isEqualTo("bias");
        assertThat(decide("*=nf4", Component.VAE, "decoder.conv_in.weight", 64, 16, 3, 3).reason()).isEqualTo("VAE");
        // A pattern that names them has its way with embedders and final layers.
        assertThat(decide("proj_out.*=q8_0", Component.DENOISER, "proj_out.weight", 64, 64).type())
                .isEqualTo(QuantType.Q8_0);
        assertThat(decide("q8_0", Component.DENOISER, Q, 64, 100).reason())
                .isEqualTo("rows of 100 are not whole blocks of 32");
        assertThat(decide("nf4", Component.DENOISER, Q, 64, 100).type()).isEqualTo(QuantType.NF4);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "nf5", "nf4,", "vae=nf4", "denoizer=nf4", "denoiser=", "=nf4", "denoiser=nf4=q8_0"})
    void whatIsNoRule(String rules) {
        assertThatThrownBy(() -> QuantizeRules.parse(rules)).isInstanceOf(InputException.class)
                .hasMessageContaining("quantise");
    }
}
