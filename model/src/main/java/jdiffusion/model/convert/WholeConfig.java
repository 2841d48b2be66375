package jdiffusion.model.convert;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.mmdit.MmditConfig;
import jdiffusion.model.text.ClipConfig;
import jdiffusion.model.text.ClipTextEncoder;
import jdiffusion.model.text.T5Config;
import jdiffusion.model.text.T5Encoder;
import jdiffusion.model.vae.VaeConfig;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Weights;

/**
 * A config.json with all that other programs need to build a component: single files have none, and this program
 * takes sizes from the tensors.
 */
final class WholeConfig {
    private static final ObjectMapper JSON = new ObjectMapper();

    private WholeConfig() {
    }

    /** Adds what the tensors say where the configuration is silent. */
    static void complete(Component component, ModelFiles.Open open, ObjectNode config) {
        Weights weights = Weights.of(open.tensors(), Placement.onHost());
        switch (component) {
            case DENOISER -> denoiser(MmditConfig.of(weights, open.config()), config);
            case CLIP_L, CLIP_G -> clip(ClipTextEncoder.load(weights, open.config()).config(), config);
            case T5 -> t5(T5Encoder.load(weights, open.config()).config(), config);
            case VAE -> vae(VaeConfig.of(weights, open.config()), config);
        }
    }

    private static void denoiser(MmditConfig c, ObjectNode config) {
        new Silent(config).put("_class_name", "SD3Transformer2DModel").put("sample_size", c.positions())
                .put("patch_size", c.patch()).put("in_channels", c.inChannels()).put("num_layers", c.depth())
                .put("attention_head_dim", c.headDim()).put("num_attention_heads", c.heads())
                .put("joint_attention_dim", c.contextDim()).put("caption_projection_dim", c.hidden())
                .put("pooled_projection_dim", c.pooledDim()).put("out_channels", c.outChannels())
                .put("pos_embed_max_size", c.positions()).put("dual_attention_layers", c.dualBlocks())
                .put("qk_norm", c.qkNorm() ? "rms_norm" : null);
    }

    private static void clip(ClipConfig c, ObjectNode config) {
        String activation = switch (c.activation()) {
            case QUICK_GELU -> "quick_gelu";
            case GELU_TANH -> "gelu_new";
            default -> "gelu";
        };
        new Silent(config).put("architectures", new String[] {"CLIPTextModelWithProjection"})
                .put("model_type", "clip_text_model").put("vocab_size", c.vocabulary()).put("hidden_size", c.hidden())
                .put("intermediate_size", c.inner()).put("projection_dim", c.projection())
                .put("num_hidden_layers", c.depth()).put("num_attention_heads", c.heads())
                .put("max_position_embeddings", c.positions()).put("hidden_act", activation)
                .put("layer_norm_eps", decimal(c.eps())).put("eos_token_id", c.eosToken());
    }

    private static void t5(T5Config c, ObjectNode config) {
        new Silent(config).put("architectures", new String[] {"T5EncoderModel"}).put("model_type", "t5")
                .put("vocab_size", c.vocabulary()).put("d_model", c.hidden()).put("d_kv", c.headDim())
                .put("d_ff", c.inner()).put("num_layers", c.depth()).put("num_heads", c.heads())
                .put("relative_attention_num_buckets", c.buckets())
                .put("relative_attention_max_distance", c.maxDistance())
                .put("layer_norm_epsilon", decimal(c.eps())).put("feed_forward_proj", "gated-gelu")
                .put("is_encoder_decoder", false);
    }

    private static void vae(VaeConfig c, ObjectNode config) {
        String[] down = new String[c.channels().size()];
        String[] up = new String[down.length];
        Arrays.fill(down, "DownEncoderBlock2D");
        Arrays.fill(up, "UpDecoderBlock2D");
        new Silent(config).put("_class_name", "AutoencoderKL").put("in_channels", 3).put("out_channels", 3)
                .put("down_block_types", down).put("up_block_types", up).put("block_out_channels", c.channels())
                .put("layers_per_block", c.layers()).put("act_fn", "silu")
                .put("latent_channels", c.latentChannels()).put("norm_num_groups", c.groups())
                .put("scaling_factor", decimal(c.scale())).put("shift_factor", decimal(c.shift()))
                .put("use_quant_conv", false).put("use_post_quant_conv", false);
    }

    /** The number as it was written before it became a float32. */
    private static double decimal(float value) {
        return Double.parseDouble(Float.toString(value));
    }

    /** Puts only what is not there. */
    private record Silent(ObjectNode config) {
        Silent put(String key, Object value) {
            if (!config.has(key)) {
                config.set(key, JSON.valueToTree(value));
            }
            return this;
        }
    }
}
