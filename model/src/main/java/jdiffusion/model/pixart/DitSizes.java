package jdiffusion.model.pixart;

import com.fasterxml.jackson.databind.node.ObjectNode;
import jdiffusion.model.synthetic.NetworkSizes;
import jdiffusion.model.synthetic.TensorList;

/**
 * PixArt's transformer with heads of 72 channels.
 *
 * @param depth      blocks
 * @param heads      heads of 72 channels
 * @param sampleSize side of the latents in training
 * @param contextDim width of the text embeddings
 */
record DitSizes(int depth, int heads, int sampleSize, int contextDim) implements NetworkSizes {
    static final int HEAD = 72;
    static final int CHANNELS = 4;
    static final int PATCH = 2;
    /** So small that shift, scale and gate stay well below 1, and the residual stream grows slowly. */
    private static final double MODULATION = 0.2;

    int hidden() {
        return heads * HEAD;
    }

    @Override
    public ObjectNode config() {
        return new DitConfig(hidden(), heads, HEAD, depth, PATCH, CHANNELS, 2 * CHANNELS, contextDim, sampleSize,
                DitConfig.usualScale(sampleSize), false).toJson(DitNetwork.OLD_CLASS);
    }

    @Override
    public void tensors(TensorList t) {
        int d = hidden();
        t.conv("pos_embed.proj", d, CHANNELS, PATCH)
                .linear("adaln_single.emb.timestep_embedder.linear_1", d, DitConfig.SINUSOIDS)
                .linear("adaln_single.emb.timestep_embedder.linear_2", d, d)
                .linear("adaln_single.linear", MODULATION, DitBlock.PARTS * d, d)
                .linear("caption_projection.linear_1", d, contextDim).linear("caption_projection.linear_2", d, d);
        for (int i = 0; i < depth; i++) {
            String block = "transformer_blocks." + i;
            t.normal(block + ".scale_shift_table", 0, MODULATION, DitBlock.PARTS, d);
            for (String attention : new String[] {".attn1", ".attn2"}) {
                for (String name : new String[] {".to_q", ".to_k", ".to_v", ".to_out.0"}) {
                    t.linear(block + attention + name, d, d);
                }
            }
            t.linear(block + ".ff.net.0.proj", DitConfig.MLP_RATIO * d, d)
                    .linear(block + ".ff.net.2", d, DitConfig.MLP_RATIO * d);
        }
        t.normal("scale_shift_table", 0, MODULATION, Dit.FINAL_PARTS, d)
                .linear("proj_out", PATCH * PATCH * 2 * CHANNELS, d);
    }
}
