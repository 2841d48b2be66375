package jdiffusion.model.text;

import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Weights;

/**
 * Sizes of a T5 v1.1 encoder (Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text
 * Transformer", 2020; gated GELU as in Shazeer, 2020), or of UMT5's (Chung et al., "UniMax", 2023), which has a table
 * of relative positions in each block.
 *
 * @param hidden      width of the residual stream
 * @param heads       attention heads
 * @param headDim     channels of a head; heads * headDim need not be hidden
 * @param inner       width of the feed-forward layers
 * @param depth       blocks
 * @param vocabulary  rows of the token table
 * @param buckets     relative positions told apart
 * @param maxDistance distance from which on all positions share a bucket
 * @param tables      tables of relative positions: 1, of the first block for all, or one for each
 * @param eps         epsilon of the RMS norms
 */
public record T5Config(int hidden, int heads, int headDim, int inner, int depth, int vocabulary, int buckets,
                       int maxDistance, int tables, float eps) {
    private static final String FIRST = "encoder.block.0.layer.";
    static final String TABLE = "layer.0.SelfAttention.relative_attention_bias.weight";

    static T5Config of(Weights w, ConfigFile config) {
        Shape tokens = w.shape("shared.weight");
        Shape bias = w.shape(FIRST + "0.SelfAttention.relative_attention_bias.weight");
        int heads = bias.cols();
        int attention = w.shape(FIRST + "0.SelfAttention.q.weight").rows();
        if (heads < 1 || attention % heads != 0) {
            throw new InputException(config.origin() + ": " + heads + " heads do not divide a width of " + attention);
        }
        String activation = config.text("feed_forward_proj", "gated-gelu");
        if (!activation.equals("gated-gelu")) {
            throw new InputException(config.origin() + ": feed_forward_proj is " + activation
                    + "; only gated-gelu (T5 v1.1) is known");
        }
        int depth = w.at("encoder").count("block");
        boolean everywhere = depth > 1 && w.has("encoder.block.1." + TABLE);
        T5Config c = new T5Config(tokens.cols(), heads, attention / heads,
                w.shape(FIRST + "1.DenseReluDense.wi_0.weight").rows(), depth, tokens.rows(), bias.rows(),
                config.integer("relative_attention_max_distance", 128), everywhere ? depth : 1,
                config.positiveNumber("layer_norm_epsilon", 1e-6));
        if (c.buckets < 4 || c.maxDistance <= c.buckets / 4) {
            throw new InputException(config.origin() + ": " + c.buckets + " buckets up to a distance of "
                    + c.maxDistance + " cannot tell positions apart; T5 has 32 and 128");
        }
        config.expect("d_model", c.hidden);
        config.expect("num_heads", c.heads);
        config.expect("d_kv", c.headDim);
        config.expect("d_ff", c.inner);
        config.expect("num_layers", c.depth);
        config.expect("vocab_size", c.vocabulary);
        config.expect("relative_attention_num_buckets", c.buckets);
        config.check();
        return c;
    }

    /**
     * Bucket of a key {@code distance} tokens after the query (bidirectional): exact for small distances, then
     * logarithmic up to the largest. Float32 steps as in the reference, whose roundings decide the borders.
     */
    int bucket(int distance) {
        int half = buckets / 2;
        int exact = half / 2;
        int base = distance > 0 ? half : 0;
        int n = Math.abs(distance);
        if (n < exact) {
            return base + n;
        }
        float log = (float) Math.log((float) n / exact) / (float) Math.log((double) maxDistance / exact);
        return base + Math.min(exact + (int) (log * (half - exact)), half - 1);
    }
}
