package jdiffusion.model.sd3;

import jdiffusion.kernels.Backend;
import jdiffusion.model.Trace;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.nn.Embedding;
import jdiffusion.model.nn.Linear;
import jdiffusion.model.nn.StepModulations;
import jdiffusion.model.nn.TimeTextEmbedding;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.WeightBlocks;
import jdiffusion.tensor.Weights;

/**
 * A smaller copy of the denoiser that reads a second image, whose blocks' outputs are added to the denoiser's (Zhang
 * et al., "Adding Conditional Control to Text-to-Image Diffusion Models", 2023). Tensor names are diffusers'.
 *
 * @param patchEmbedding   of the latents; null where the denoiser's is used
 * @param positionTable    [positions * positions, d]; null likewise
 * @param contextEmbedding of the text; null without text
 * @param conditionEmbedding of the second image's latents
 */
public record ControlNet(ControlNetConfig config, Linear patchEmbedding, Embedding positionTable,
                         Linear contextEmbedding, TimeTextEmbedding conditioning, Linear conditionEmbedding,
                         WeightBlocks<Block> blocks) {
    /**
     * One block and the projection of its output, the residual.
     *
     * @param joint with text; null when {@code image} is there
     * @param image without text
     */
    record Block(JointBlock joint, ImageBlock image, Linear output) {
        void apply(Backend backend, MmditBuffers a, StepModulations modulations, int index) {
            if (joint != null) {
                joint.apply(backend, Trace.NONE, a, modulations, index);
            } else {
                image.apply(backend, a, modulations, index);
            }
        }
    }

    /** @param denoiser what it is for */
    static ControlNet load(Weights w, ConfigFile file, MmditConfig denoiser) {
        ControlNetConfig config = ControlNetConfig.of(w, file, denoiser);
        MmditConfig c = config.blocks();
        int d = c.hidden();
        w.skip("control_type", 1);
        boolean joint = config.joint();
        return new ControlNet(config,
                joint ? patches(w.at("pos_embed"), c) : null,
                joint ? positions(w.at("pos_embed"), c) : null,
                joint ? Linear.load(w.at("context_embedder"), d, c.contextDim()) : null,
                Mmdit.conditioning(w.at("time_text_embed"), c),
                patches(w.at("pos_embed_input"), c),
                w.blocks("transformer_blocks", c.depth(), (layer, i) -> new Block(
                        joint ? JointBlock.load(layer, c, i, false) : null,
                        joint ? null : ImageBlock.load(layer, c),
                        Linear.load(w.at("controlnet_blocks", i), d, d))));
    }

    private static Embedding positions(Weights w, MmditConfig c) {
        return new Embedding(Weight.of(w.onHost("pos_embed", 1, c.positions() * c.positions(), c.hidden()).at(0)));
    }

    private static Linear patches(Weights w, MmditConfig c) {
        int p = c.patch();
        Tensor kernels = w.tensor("proj.weight", c.hidden(), c.inChannels(), p, p)
                .reshape(c.hidden(), c.inChannels() * p * p);
        return new Linear(Weight.of(kernels), w.tensor("proj.bias", c.hidden()));
    }
}
