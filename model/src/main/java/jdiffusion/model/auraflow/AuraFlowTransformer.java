package jdiffusion.model.auraflow;

import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jdiffusion.kernels.Backend;
import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.family.ControlTraits;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserRun;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.nn.Attending;
import jdiffusion.model.nn.Embedding;
import jdiffusion.model.nn.Linear;
import jdiffusion.model.nn.TimeTextEmbedding;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.WeightBlocks;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/**
 * AuraFlow's denoiser: predicts the velocity of the rectified flow at a latent image and a time. Tensor names are those
 * of the diffusers layout.
 *
 * @param patchEmbedding  [d, c * p * p]
 * @param positionTable   [positions * positions, d], learned
 * @param registers       [registers, d] tokens before the text
 * @param time            of the time alone: no pooled text conditions the blocks
 * @param blocks          the joint ones, then the single ones
 * @param finalModulation scale, shift, without a norm before it
 * @param projection      [p * p * c, d]
 */
public record AuraFlowTransformer(AuraFlowConfig config, Linear patchEmbedding, Embedding positionTable,
                                  Tensor registers, Linear contextEmbedding, TimeTextEmbedding time,
                                  WeightBlocks<Block> blocks, Linear finalModulation, Linear projection)
        implements Denoiser {
    public static AuraFlowTransformer load(Weights w, ConfigFile file) {
        AuraFlowConfig c = AuraFlowConfig.of(w, file);
        int d = c.hidden();
        int pixels = c.patch() * c.patch();
        int table = c.positions() * c.positions();
        Weights embed = w.at("pos_embed");
        List<Weights> layers = Stream.concat(
                IntStream.range(0, c.joint()).mapToObj(i -> w.at(AuraFlowConfig.JOINT_BLOCKS, i)),
                IntStream.range(0, c.single()).mapToObj(i -> w.at(AuraFlowConfig.SINGLE_BLOCKS, i))).toList();
        AuraFlowTransformer model = new AuraFlowTransformer(c,
                Linear.load(embed.at("proj"), d, c.inChannels() * pixels),
                new Embedding(Weight.of(embed.onHost("pos_embed", 1, table, d).at(0))),
                w.tensor("register_tokens", 1, c.registers(), d).at(0),
                Linear.withoutBias(w.at("context_embedder"), d, c.contextDim()),
                TimeTextEmbedding.ofTime(w.at("time_step_proj"), AuraFlowConfig.TIME_CHANNELS, d),
                w.blocks(layers, (layer, i) -> i < c.joint() ? Block.joint(layer, c) : Block.single(layer, c)),
                Linear.withoutBias(w.at("norm_out.linear"), 2 * d, d),
                Linear.withoutBias(w.at("proj_out"), c.outChannels() * pixels, d));
        w.finish();
        return model;
    }

    @Override
    public ControlTraits control() {
        return null;
    }

    @Override
    public DenoiserRun start(Compute compute, DenoiserSetup setup) {
        int batch = setup.batch();
        int tokens = setup.tokens();
        AuraFlowRun run = new AuraFlowRun(this, compute, batch, setup.height(), setup.width(), tokens, setup.times());
        Workspace w = compute.workspace();
        Backend backend = compute.backend();
        try (var _ = w.scope()) {
            Tensor context = w.operand(batch, tokens, config.contextDim());
            for (int i = 0; i < batch; i++) {
                backend.upload(setup.entries().get(i).context().toArray(), context.at(i));
            }
            run.setText(context);
        }
        run.setAttending(Attending.of(setup.change()));
        if (setup.reuses()) {
            run.reuse(setup.reuse());
        }
        return run;
    }
}
