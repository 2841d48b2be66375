package jdiffusion.model.bench;

import java.util.Arrays;
import java.util.List;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.mmdit.Denoiser;
import jdiffusion.model.mmdit.MmditConfig;
import jdiffusion.model.mmdit.MmditRun;
import jdiffusion.model.synthetic.SyntheticFiles;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.text.ClipTextEncoder;
import jdiffusion.model.text.PromptEncoder;
import jdiffusion.model.text.T5Encoder;
import jdiffusion.model.vae.Vae;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/** Whole components, with weights in bfloat16. */
final class ModelCases {
    /** Of T5, whose blocks are all alike and, all together, more than many a machine's memory. */
    private static final int T5_BLOCKS = 4;
    private static final int FACTOR = 8;
    private static final DType TYPE = DType.BF16;
    /** Any will do. */
    private static final float TIMESTEP = 500;

    private ModelCases() {
    }

    /** One forward pass. */
    static List<Case<?>> denoiser(SyntheticModel model, Shapes s) {
        return List.of(new Case<>("denoiser", s + ", batch " + s.batch() + ", " + s.context() + " tokens of text",
                Component.DENOISER, () -> SyntheticFiles.tensors(model, Component.DENOISER, TYPE), Denoiser::load,
                (denoiser, compute) -> {
            MmditConfig c = denoiser.mmdit().config();
            Workspace w = compute.workspace();
            int height = s.height() / FACTOR;
            int width = s.width() / FACTOR;
            Tensor latents = ProductCases.random(compute, w.f32(s.batch(), c.inChannels(), height, width));
            Tensor velocity = w.f32(s.batch(), c.outChannels(), height, width);
            MmditRun run = new MmditRun(denoiser, compute, s.batch(), height, width, s.context(), new float[0]);
            run.setText(ProductCases.random(compute, w.operand(s.batch(), s.context(), c.contextDim())),
                    ProductCases.random(compute, w.operand(s.batch(), c.pooledDim())));
            // Given for each entry of the batch, nothing that depends on the time is kept from one pass to the next.
            float[] times = new float[s.batch()];
            Arrays.fill(times, TIMESTEP);
            return () -> run.velocity(latents, times, List.of(), velocity);
        }, 1, 1));
    }

    /** Decoding as a whole, not on tiles. */
    static List<Case<?>> vae(SyntheticModel model, Shapes s) {
        return List.of(new Case<>("vae", "decode " + s + (s.batch() == 1 ? "" : ", batch " + s.batch()), Component.VAE,
                () -> SyntheticFiles.tensors(model, Component.VAE, TYPE), Vae::load, (vae, compute) -> {
            Tensor latents = ProductCases.random(compute, compute.workspace().f32(s.batch(),
                    vae.config().latentChannels(), s.height() / FACTOR, s.width() / FACTOR));
            return () -> {
                try (var _ = compute.workspace().scope()) {
                    vae.decode(compute, latents);
                }
            };
        }, 1, 1));
    }

    /** Each encoder. Of T5 some blocks are measured, and stand for all. */
    static List<Case<?>> text(SyntheticModel model, Shapes s) {
        int blocks = model.config(Component.T5).get("num_layers").intValue();
        SyntheticModel shorter = model.withT5Blocks(T5_BLOCKS);
        int measured = shorter.config(Component.T5).get("num_layers").intValue();
        int[][] ids = new int[s.batch()][s.text()];
        String scaled = blocks == measured ? "" : " (" + measured + " of " + blocks + " blocks, scaled)";
        return List.of(clip(model, Component.CLIP_L, s), clip(model, Component.CLIP_G, s),
                new Case<>("text", "T5, " + rows(s, s.text()) + scaled, Component.T5,
                () -> SyntheticFiles.tensors(shorter, Component.T5, TYPE), T5Encoder::load,
                (encoder, compute) -> () -> {
            try (var _ = compute.workspace().scope()) {
                encoder.apply(compute, ids);
            }
        }, 1, (double) blocks / measured));
    }

    private static Case<ClipTextEncoder> clip(SyntheticModel model, Component component, Shapes s) {
        int[][] ids = new int[s.batch()][PromptEncoder.CLIP_LENGTH];
        return new Case<>("text", component.label() + ", " + rows(s, PromptEncoder.CLIP_LENGTH), component,
                () -> SyntheticFiles.tensors(model, component, TYPE), ClipTextEncoder::load,
                (encoder, compute) -> () -> {
            try (var _ = compute.workspace().scope()) {
                encoder.apply(compute, ids);
            }
        }, 1, 1);
    }

    private static String rows(Shapes s, int tokens) {
        return (s.batch() == 1 ? "" : s.batch() + "x") + tokens + " tokens";
    }
}
