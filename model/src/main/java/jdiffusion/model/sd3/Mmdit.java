package jdiffusion.model.sd3;

import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.nn.Embedding;
import jdiffusion.model.nn.Linear;
import jdiffusion.model.nn.TimeTextEmbedding;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.WeightBlocks;
import jdiffusion.tensor.Weights;

/**
 * The denoiser of the SD3 family: predicts the velocity of the rectified flow at a latent image and a time. SD3
 * Medium, SD3.5 Large (MMDiT) and SD3.5 Medium (MMDiT-X) differ in {@link MmditConfig} alone. Tensor names are those
 * of the diffusers layout.
 *
 * @param patchEmbedding  a convolution of p x p with stride p, as a linear layer over patches
 * @param positionTable   [positions * positions, d], the sinusoids as stored
 * @param finalModulation adaLN of the final norm: scale, shift
 */
public record Mmdit(MmditConfig config, Linear patchEmbedding, Embedding positionTable, Linear contextEmbedding,
                    TimeTextEmbedding conditioning, WeightBlocks<JointBlock> blocks, Linear finalModulation,
                    Linear projection) {
    public static Mmdit load(Weights w, ConfigFile file) {
        Mmdit model = read(w, file);
        w.finish();
        return model;
    }

    static TimeTextEmbedding conditioning(Weights w, MmditConfig c) {
        return TimeTextEmbedding.load(w.at("timestep_embedder"), MmditConfig.TIMESTEP_CHANNELS,
                w.at("text_embedder"), c.pooledDim(), c.hidden());
    }

    /** The same where the files have more than this. */
    static Mmdit read(Weights w, ConfigFile file) {
        MmditConfig c = MmditConfig.of(w, file);
        int d = c.hidden();
        int p = c.patch();
        Weights embed = w.at("pos_embed");
        Tensor patches = embed.tensor("proj.weight", d, c.inChannels(), p, p)
                .reshape(d, c.inChannels() * p * p);
        WeightBlocks<JointBlock> blocks = w.blocks("transformer_blocks", c.depth(),
                (layer, i) -> JointBlock.load(layer, c, i, i == c.depth() - 1));
        return new Mmdit(c,
                new Linear(Weight.of(patches), embed.tensor("proj.bias", d)),
                new Embedding(Weight.of(embed.onHost("pos_embed", 1, c.positions() * c.positions(), d).at(0))),
                Linear.load(w.at("context_embedder"), d, c.contextDim()),
                conditioning(w.at("time_text_embed"), c),
                blocks,
                Linear.load(w.at("norm_out.linear"), 2 * d, d),
                Linear.load(w.at("proj_out"), p * p * c.outChannels(), d));
    }
}
