package jdiffusion.model.text;

import jdiffusion.kernels.Activation;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Weights;

/**
 * Sizes of a CLIP text encoder (Radford et al., "Learning Transferable Visual Models From Natural
 * Language Supervision", 2021).
 *
 * @param hidden     width of the residual stream
 * @param heads      attention heads
 * @param inner      width of the feed-forward layers
 * @param depth      layers
 * @param projection width of the projected pooled output; 0 for an encoder without projection
 * @param vocabulary rows of the token table
 * @param positions  longest sequence
 * @param activation quick-GELU in CLIP-L, GELU in CLIP-G
 * @param eosToken   id of the end token; 2 stands for "the largest id in the sequence", a rule that published
 *                   CLIP configurations with a wrong id depend on
 * @param eps        epsilon of the layer norms
 */
public record ClipConfig(int hidden, int heads, int inner, int depth, int projection, int vocabulary, int positions,
                         Activation activation, int eosToken, float eps) {
    static ClipConfig of(Weights w, ConfigFile config) {
        Shape tokens = w.shape("text_model.embeddings.token_embedding.weight");
        Shape positions = w.shape("text_model.embeddings.position_embedding.weight");
        Shape inner = w.shape("text_model.encoder.layers.0.mlp.fc1.weight");
        int heads = config.size("num_attention_heads");
        ClipConfig c = new ClipConfig(tokens.cols(), heads, inner.rows(), w.at("text_model.encoder").count("layers"),
                w.has("text_projection.weight") ? w.shape("text_projection.weight").rows() : 0, tokens.rows(),
                positions.rows(),
                activation(config), config.integer("eos_token_id", 2), config.positiveNumber("layer_norm_eps", 1e-5));
        if (c.hidden % heads != 0) {
            throw new InputException(config.origin() + ": " + heads + " heads do not divide a width of " + c.hidden);
        }
        config.expect("hidden_size", c.hidden);
        config.expect("intermediate_size", c.inner);
        config.expect("num_hidden_layers", c.depth);
        if (c.projection > 0) {
            // Encoders that were saved without their projection still state its size.
            config.expect("projection_dim", c.projection);
        }
        config.expect("vocab_size", c.vocabulary);
        config.expect("max_position_embeddings", c.positions);
        config.check();
        return c;
    }

    private static Activation activation(ConfigFile config) {
        String name = config.text("hidden_act", "quick_gelu");
        return switch (name) {
            case "quick_gelu" -> Activation.QUICK_GELU;
            case "gelu" -> Activation.GELU_ERF;
            case "gelu_new", "gelu_pytorch_tanh" -> Activation.GELU_TANH;
            default -> throw new InputException(config.origin() + ": hidden_act is " + name
                    + "; quick_gelu, gelu and gelu_new are known");
        };
    }
}
