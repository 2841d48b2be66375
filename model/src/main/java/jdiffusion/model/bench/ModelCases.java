package jdiffusion.model.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.BenchBlock;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.DenoiserConfig;
import jdiffusion.model.family.DenoiserRun;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.family.Family;
import jdiffusion.model.family.TextEncoders;
import jdiffusion.model.synthetic.SyntheticFiles;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.T5Sizes;
import jdiffusion.model.text.ClipTextEncoder;
import jdiffusion.model.text.T5Encoder;
import jdiffusion.model.vae.Vae;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/** Whole components, with weights in bfloat16. */
final class ModelCases {
    /** Of T5, whose blocks are all alike and, all together, more than many a machine's memory. */
    private static final int T5_BLOCKS = 4;
    private static final DType TYPE = DType.BF16;
    /** Any will do. */
    private static final float TIMESTEP = 500;

    private ModelCases() {
    }

    /** One forward pass. */
    static List<Case<?>> denoiser(SyntheticModel model, Shapes s) {
        Family family = Families.of(model.architecture());
        int factor = factor(model);
        return List.of(new Case<>("denoiser", s + ", batch " + s.batch() + ", " + context(family, model, s)
                + " tokens of text", Component.DENOISER, () -> SyntheticFiles.tensors(model, Component.DENOISER, TYPE),
                family::loadDenoiser, (denoiser, compute) -> {
            DenoiserConfig c = denoiser.config();
            Workspace w = compute.workspace();
            int height = s.height() / factor;
            int width = s.width() / factor;
            Tensor latents = ProductCases.random(compute, w.f32(s.batch(), c.inChannels(), height, width));
            Tensor out = w.f32(s.batch(), c.outChannels(), height, width);
            DenoiserRun run = denoiser.start(compute, new DenoiserSetup(Collections.nCopies(s.batch(),
                    random(family.blank(c, s.text()))), 1, height, width, new float[0]));
            // Given for each entry of the batch, nothing that depends on the time is kept from one pass to the next.
            float[] times = new float[s.batch()];
            Arrays.fill(times, TIMESTEP);
            return () -> run.predict(latents, times, out);
        }, 1, 1));
    }

    /** Each kind of block by itself. */
    static List<Case<?>> blocks(SyntheticModel model, Shapes s) {
        Family family = Families.of(model.architecture());
        int factor = factor(model);
        List<Case<?>> cases = new ArrayList<>();
        for (BenchBlock block : family.bench(model).blocks()) {
            SyntheticModel one = model.with(Component.DENOISER, block.sizes());
            cases.add(new Case<>("blocks", block.label() + ", " + s + ", batch " + s.batch() + ", "
                    + context(family, model, s) + " tokens of text", Component.DENOISER,
                    () -> SyntheticFiles.tensors(one, Component.DENOISER, TYPE), family::loadDenoiser,
                    (denoiser, compute) -> block.prepare().prepare(denoiser, compute,
                            new DenoiserSetup(Collections.nCopies(s.batch(), random(family.blank(denoiser.config(),
                                    s.text()))), 1, s.height() / factor, s.width() / factor, new float[0])), 1, 1));
        }
        return cases;
    }

    /** Pixels for each latent pixel, each way. */
    private static int factor(SyntheticModel model) {
        return 1 << model.config(Component.VAE).get("block_out_channels").size() - 1;
    }

    /** Tokens of text that the denoiser reads. */
    private static int context(Family family, SyntheticModel model, Shapes s) {
        return family.bench(model).contextTokens(s.text());
    }

    /** The same shapes with normal random numbers. */
    private static Conditioning random(Conditioning blank) {
        Map<String, Tensor> all = new TreeMap<>();
        blank.tensors().forEach((name, tensor) -> all.put(name,
                Tensor.of(ProductCases.random(Math.toIntExact(tensor.shape().size())), tensor.shape().dims())));
        return new Conditioning(all);
    }

    /** Decoding as a whole, not on tiles. */
    static List<Case<?>> vae(SyntheticModel model, Shapes s) {
        int factor = factor(model);
        return List.of(new Case<>("vae", "decode " + s + (s.batch() == 1 ? "" : ", batch " + s.batch()), Component.VAE,
                () -> SyntheticFiles.tensors(model, Component.VAE, TYPE), Vae::load, (vae, compute) -> {
            Tensor latents = ProductCases.random(compute, compute.workspace().f32(s.batch(),
                    vae.config().latentChannels(), s.height() / factor, s.width() / factor));
            return () -> {
                try (var _ = compute.workspace().scope()) {
                    vae.decode(compute, latents);
                }
            };
        }, 1, 1));
    }

    /** Each encoder. Of T5 some blocks are measured, and stand for all. */
    static List<Case<?>> text(SyntheticModel model, Shapes s) {
        List<Case<?>> cases = new ArrayList<>();
        for (Component component : model.architecture().components()) {
            if (component.isEncoder() && model.parts().containsKey(component)) {
                cases.add(component == Component.T5 ? t5(model, s) : clip(model, component, s));
            }
        }
        return cases;
    }

    private static Case<T5Encoder> t5(SyntheticModel model, Shapes s) {
        T5Sizes whole = (T5Sizes) model.sizes(Component.T5);
        T5Sizes some = whole.withBlocks(T5_BLOCKS);
        SyntheticModel shorter = model.with(Component.T5, some);
        int[][] ids = new int[s.batch()][s.text()];
        String scaled = whole.depth() == some.depth() ? ""
                : " (" + some.depth() + " of " + whole.depth() + " blocks, scaled)";
        return new Case<>("text", "T5, " + rows(s, s.text()) + scaled, Component.T5,
                () -> SyntheticFiles.tensors(shorter, Component.T5, TYPE), T5Encoder::load,
                (encoder, compute) -> () -> {
            try (var _ = compute.workspace().scope()) {
                encoder.apply(compute, ids);
            }
        }, 1, (double) whole.depth() / some.depth());
    }

    private static Case<ClipTextEncoder> clip(SyntheticModel model, Component component, Shapes s) {
        int[][] ids = new int[s.batch()][TextEncoders.CLIP_LENGTH];
        return new Case<>("text", component.label() + ", " + rows(s, TextEncoders.CLIP_LENGTH), component,
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
