package jdiffusion.model.pixart;

import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.family.ControlTraits;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserRun;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.nn.Linear;
import jdiffusion.model.nn.Mlp;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.WeightBlocks;
import jdiffusion.tensor.Weights;

/**
 * PixArt's denoiser: a diffusion transformer whose blocks attend to the text across, with one modulation for all of
 * them (Chen et al., "PixArt-alpha: Fast Training of Diffusion Transformer for Photorealistic Text-to-Image Synthesis",
 * 2023, section 2.3). Tensor names are those of the diffusers layout.
 *
 * @param patchEmbedding a convolution of p x p with stride p, as a linear layer over patches
 * @param caption        MLP of the text embeddings
 * @param finalTable     [2, d] added to the time's vector: shift and scale of the final norm
 */
public record Dit(DitConfig config, Linear patchEmbedding, AdaLnSingle modulation, Mlp caption,
                  WeightBlocks<DitBlock> blocks, Tensor finalTable, Linear projection) implements Denoiser {
    /** Parts of the final norm's table. */
    static final int FINAL_PARTS = 2;

    public static Dit load(Weights w, ConfigFile file) {
        DitConfig c = DitConfig.of(w, file);
        int d = c.hidden();
        int p = c.patch();
        Weights embed = w.at("pos_embed");
        Tensor patches = embed.tensor("proj.weight", d, c.inChannels(), p, p).reshape(d, c.inChannels() * p * p);
        Linear patchEmbedding = new Linear(Weight.of(patches), embed.tensor("proj.bias", d));
        Dit model = new Dit(c, patchEmbedding, AdaLnSingle.load(w.at("adaln_single"), c),
                DitBlock.mlp(w.at("caption_projection"), "linear_1", "linear_2", c.contextDim(), d, d),
                w.blocks("transformer_blocks", c.depth(), (layer, _) -> DitBlock.load(layer, c)),
                w.tensor("scale_shift_table", FINAL_PARTS, d),
                Linear.load(w.at("proj_out"), p * p * c.predicted(), d));
        w.finish();
        return model;
    }

    @Override
    public ControlTraits control() {
        return null;
    }

    @Override
    public DenoiserRun start(Compute compute, DenoiserSetup setup) {
        return DitRun.start(this, compute, setup);
    }
}
