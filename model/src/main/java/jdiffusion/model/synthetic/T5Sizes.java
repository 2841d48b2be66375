package jdiffusion.model.synthetic;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * The encoder of T5 v1.1, or of UMT5.
 *
 * @param umt5 whether each block has a table of relative positions, and the special tokens are Pile-T5's
 */
public record T5Sizes(int vocabulary, int hidden, int heads, int headDim, int inner, int depth, boolean umt5)
        implements NetworkSizes {
    private static final int BUCKETS = 32;
    private static final int LONGEST = 128;

    /** T5 v1.1. */
    public T5Sizes(int vocabulary, int hidden, int heads, int headDim, int inner, int depth) {
        this(vocabulary, hidden, heads, headDim, inner, depth, false);
    }

    /** The same with fewer blocks, which take as much less time and memory. */
    public T5Sizes withBlocks(int blocks) {
        return new T5Sizes(vocabulary, hidden, heads, headDim, inner, Math.min(blocks, depth), umt5);
    }

    @Override
    public ObjectNode config() {
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.putArray("architectures").add(umt5 ? "UMT5EncoderModel" : "T5EncoderModel");
        return config.put("model_type", umt5 ? "umt5" : "t5").put("vocab_size", vocabulary).put("d_model", hidden)
                .put("d_kv", headDim).put("d_ff", inner).put("num_layers", depth).put("num_decoder_layers", depth)
                .put("num_heads", heads).put("relative_attention_num_buckets", BUCKETS)
                .put("relative_attention_max_distance", LONGEST).put("dropout_rate", 0.1)
                .put("layer_norm_epsilon", 1e-6).put("initializer_factor", 1.0)
                .put("feed_forward_proj", "gated-gelu").put("dense_act_fn", "gelu_new").put("is_gated_act", true)
                .put("is_encoder_decoder", umt5).put("is_decoder", false).put("use_cache", umt5)
                .put("tie_word_embeddings", true).put("scale_decoder_outputs", false)
                .put("classifier_dropout", 0.0).put("pad_token_id", umt5 ? 1 : 0)
                .put("eos_token_id", umt5 ? 2 : 1);
    }

    @Override
    public void tensors(TensorList t) {
        int attention = heads * headDim;
        t.normal("shared.weight", 0, 1, vocabulary, hidden);
        for (int i = 0; i < depth; i++) {
            String self = "encoder.block." + i + ".layer.0.SelfAttention";
            String dense = "encoder.block." + i + ".layer.1.DenseReluDense";
            // T5 does not divide by the root of the head's width; its q is that much smaller.
            t.matrix(self + ".q", 1 / Math.sqrt(headDim), attention, hidden).matrix(self + ".k", 1, attention, hidden)
                    .matrix(self + ".v", 1, attention, hidden).matrix(self + ".o", 1, hidden, attention);
            if (i == 0 || umt5) {
                t.normal(self + ".relative_attention_bias.weight", 0, 0.5, BUCKETS, heads);
            }
            t.scale("encoder.block." + i + ".layer.0.layer_norm", hidden).matrix(dense + ".wi_0", 1, inner, hidden)
                    .matrix(dense + ".wi_1", 1, inner, hidden).matrix(dense + ".wo", 1, hidden, inner)
                    .scale("encoder.block." + i + ".layer.1.layer_norm", hidden);
        }
        t.scale("encoder.final_layer_norm", hidden);
    }
}
