package jdiffusion.model.sd3;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import jdiffusion.model.synthetic.NetworkSizes;
import jdiffusion.model.synthetic.TensorList;

/**
 * An MMDiT or MMDiT-X.
 *
 * @param depth      joint blocks
 * @param heads      heads of 64 channels
 * @param dual       blocks from the first on that have a second attention over the image
 * @param qkNorm     whether q and k are normalised
 * @param positions  side of the table of positions
 * @param sampleSize side of the latents in training
 * @param contextDim width of the text embeddings
 * @param pooledDim  width of the pooled text embedding
 */
record MmditSizes(int depth, int heads, int dual, boolean qkNorm, int positions, int sampleSize, int contextDim,
                  int pooledDim) implements NetworkSizes {
    static final int HEAD = 64;
    static final int PATCH = 2;
    private static final int CHANNELS = 16;
    /** So small that shift, scale and gate stay well below 1, and the residual stream grows slowly. */
    private static final double MODULATION = 0.2;

    int hidden() {
        return heads * HEAD;
    }

    @Override
    public ObjectNode config() {
        ObjectNode config = JsonNodeFactory.instance.objectNode().put("_class_name", MmditNetwork.CLASS)
                .put("sample_size", sampleSize).put("patch_size", PATCH).put("in_channels", CHANNELS)
                .put("num_layers", depth).put("attention_head_dim", HEAD).put("num_attention_heads", heads)
                .put("joint_attention_dim", contextDim).put("caption_projection_dim", hidden())
                .put("pooled_projection_dim", pooledDim).put("out_channels", CHANNELS)
                .put("pos_embed_max_size", positions);
        ArrayNode layers = config.putArray("dual_attention_layers");
        for (int i = 0; i < dual; i++) {
            layers.add(i);
        }
        return config.put("qk_norm", qkNorm ? "rms_norm" : null);
    }

    @Override
    public void tensors(TensorList t) {
        int d = hidden();
        t.add("pos_embed.pos_embed", new Positions(positions, sampleSize / PATCH, d))
                .conv("pos_embed.proj", d, CHANNELS, PATCH)
                .linear("time_text_embed.timestep_embedder.linear_1", d, MmditConfig.TIMESTEP_CHANNELS)
                .linear("time_text_embed.timestep_embedder.linear_2", d, d)
                .linear("time_text_embed.text_embedder.linear_1", d, pooledDim)
                .linear("time_text_embed.text_embedder.linear_2", d, d)
                .linear("context_embedder", d, contextDim);
        for (int i = 0; i < depth; i++) {
            block(t, "transformer_blocks." + i, i < dual, i == depth - 1);
        }
        t.linear("norm_out.linear", MODULATION, 2 * d, d).linear("proj_out", PATCH * PATCH * CHANNELS, d);
    }

    private void block(TensorList t, String block, boolean isDual, boolean isLast) {
        int d = hidden();
        t.linear(block + ".norm1.linear", MODULATION, (isDual ? 9 : 6) * d, d)
                .linear(block + ".norm1_context.linear", MODULATION, (isLast ? 2 : 6) * d, d);
        String attn = block + ".attn";
        attention(t, attn);
        for (String name : new String[] {".add_k_proj", ".add_v_proj", ".add_q_proj"}) {
            t.linear(attn + name, d, d);
        }
        if (qkNorm) {
            t.scale(attn + ".norm_added_q", HEAD).scale(attn + ".norm_added_k", HEAD);
        }
        if (isDual) {
            attention(t, block + ".attn2");
        }
        feedForward(t, block + ".ff");
        if (!isLast) {
            t.linear(attn + ".to_add_out", d, d);
            feedForward(t, block + ".ff_context");
        }
    }

    private void attention(TensorList t, String attn) {
        int d = hidden();
        if (qkNorm) {
            t.scale(attn + ".norm_q", HEAD).scale(attn + ".norm_k", HEAD);
        }
        for (String name : new String[] {".to_q", ".to_k", ".to_v", ".to_out.0"}) {
            t.linear(attn + name, d, d);
        }
    }

    private void feedForward(TensorList t, String ff) {
        t.linear(ff + ".net.0.proj", 4 * hidden(), hidden()).linear(ff + ".net.2", hidden(), 4 * hidden());
    }
}
