package jdiffusion.model.flux;

import jdiffusion.kernels.Backend;
import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.ControlTraits;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.nn.Attending;
import jdiffusion.model.nn.Linear;
import jdiffusion.model.nn.Mlp;
import jdiffusion.model.nn.TimeTextEmbedding;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.WeightBlocks;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/**
 * The denoiser of FLUX.1 [dev] and [schnell] (Black Forest Labs, 2024): predicts the velocity of the rectified flow at
 * a latent image and a time. Tensor names are those of the diffusers layout.
 *
 * @param guidance        embeds the guidance scale; null for a model without it
 * @param blocks          double stream blocks, then single stream blocks
 * @param finalModulation adaLN of the final norm: scale, shift
 */
public record FluxTransformer(FluxConfig config, Linear imgIn, Linear txtIn, TimeTextEmbedding conditioning,
                              Mlp guidance, WeightBlocks<Block> blocks, Linear finalModulation, Linear projection)
        implements Denoiser {
    /** Name of the guidance scale in a conditioning, [1]. */
    static final String GUIDANCE = "guidance";

    public static FluxTransformer load(Weights w, ConfigFile file) {
        FluxConfig c = FluxConfig.of(w, file);
        int d = c.hidden();
        Weights embed = w.at("time_text_embed");
        FluxTransformer model = new FluxTransformer(c,
                Linear.load(w.at("x_embedder"), d, c.packed()),
                Linear.load(w.at("context_embedder"), d, c.contextDim()),
                TimeTextEmbedding.load(embed.at("timestep_embedder"), FluxConfig.TIMESTEP_CHANNELS,
                        embed.at("text_embedder"), c.pooledDim(), d),
                c.guidance() ? TimeTextEmbedding.mlp(embed.at("guidance_embedder"), d, FluxConfig.TIMESTEP_CHANNELS)
                        : null,
                w.blocks(FluxConfig.blocks(w, c), (block, i) -> i < c.depth() ? DoubleStreamBlock.load(block, c)
                        : SingleStreamBlock.load(block, c)),
                Linear.load(w.at("norm_out.linear"), 2 * d, d),
                Linear.load(w.at("proj_out"), c.packed(), d));
        w.finish();
        return model;
    }

    @Override
    public ControlTraits control() {
        return null;
    }

    @Override
    public FluxRun start(Compute compute, DenoiserSetup setup) {
        int batch = setup.batch();
        int tokens = setup.tokens();
        FluxRun run = new FluxRun(this, compute, batch, setup.height(), setup.width(), tokens, setup.times());
        Workspace w = compute.workspace();
        Backend backend = compute.backend();
        try (var _ = w.scope()) {
            Tensor context = w.operand(batch, tokens, config.contextDim());
            Tensor pooled = w.operand(batch, config.pooledDim());
            float[] scales = new float[batch];
            for (int i = 0; i < batch; i++) {
                Conditioning entry = setup.entries().get(i);
                backend.upload(entry.context().toArray(), context.at(i));
                backend.upload(entry.pooled().toArray(), pooled.at(i));
                scales[i] = config.guidance() ? entry.get(GUIDANCE).get(0, 0) : 0;
            }
            run.setText(context, pooled, scales);
        }
        run.setAttending(Attending.of(setup.change()));
        if (setup.reuses()) {
            run.reuse(setup.reuse());
        }
        return run;
    }
}
