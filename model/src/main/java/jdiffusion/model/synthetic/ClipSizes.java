package jdiffusion.model.synthetic;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * A CLIP text encoder.
 *
 * @param projection width of the projected pooled output; 0 for an encoder without projection
 */
public record ClipSizes(int vocabulary, int hidden, int heads, int inner, int depth, int projection, String activation)
        implements NetworkSizes {
    private static final int POSITIONS = 77;
    private static final double TOKENS = 0.02;

    @Override
    public ObjectNode config() {
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.putArray("architectures").add(projection == 0 ? "CLIPTextModel" : "CLIPTextModelWithProjection");
        // The id 2 stands for the largest id of a sequence, which is the end token whatever the vocabulary.
        return config.put("model_type", "clip_text_model").put("vocab_size", vocabulary).put("hidden_size", hidden)
                .put("intermediate_size", inner).put("projection_dim", projection == 0 ? hidden : projection)
                .put("num_hidden_layers", depth)
                .put("num_attention_heads", heads).put("max_position_embeddings", POSITIONS)
                .put("hidden_act", activation).put("layer_norm_eps", 1e-5).put("attention_dropout", 0.0)
                .put("initializer_range", 0.02).put("initializer_factor", 1.0)
                .put("pad_token_id", 1).put("bos_token_id", 0).put("eos_token_id", 2);
    }

    @Override
    public void tensors(TensorList t) {
        t.normal("text_model.embeddings.token_embedding.weight", 0, TOKENS, vocabulary, hidden)
                .normal("text_model.embeddings.position_embedding.weight", 0, TOKENS / 2, POSITIONS, hidden);
        for (int i = 0; i < depth; i++) {
            String layer = "text_model.encoder.layers." + i;
            for (String name : new String[] {"k_proj", "v_proj", "q_proj", "out_proj"}) {
                t.linear(layer + ".self_attn." + name, hidden, hidden);
            }
            t.norm(layer + ".layer_norm1", hidden).linear(layer + ".mlp.fc1", inner, hidden)
                    .linear(layer + ".mlp.fc2", hidden, inner).norm(layer + ".layer_norm2", hidden);
        }
        t.norm("text_model.final_layer_norm", hidden);
        if (projection > 0) {
            t.matrix("text_projection", 1, projection, hidden);
        }
    }
}
