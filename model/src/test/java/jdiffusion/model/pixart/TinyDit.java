package jdiffusion.model.pixart;

import java.util.Random;
import java.util.function.Consumer;
import jdiffusion.kernels.Backend;
import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.families.Families;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.synthetic.SyntheticFiles;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/** A small transformer of random weights, and inputs for it that differ at each place in a batch. */
final class TinyDit {
    static final int HEIGHT = 10;
    static final int WIDTH = 14;
    static final int IMAGE = DitSizes.CHANNELS * HEIGHT * WIDTH;
    private static final int TOKENS = 21;
    private static final float[] TIMES = {999, 421, 201};

    private TinyDit() {
    }

    /** Does some work with it on a backend, with weights in bfloat16; what only counts memory comes first. */
    static void run(Backend backend, Consumer<Stage<Dit>> work) {
        Stages.run(backend, SyntheticFiles.tensors(Families.synthetic("pixart-sigma").tiny(new Vocabularies(0, 0, 50)),
                Component.DENOISER, DType.BF16), false, Component.DENOISER, "transformer", Dit::load,
                (Stage<Dit> stage) -> {
                    work.accept(stage);
                    return null;
                }, _ -> { });
    }

    /**
     * The last of three evaluations of these inputs in this order: [seeds, channels, height, width]. Texts are of
     * different lengths, and what is behind their ends differs too.
     *
     * @param padding seed of the embeddings of padding
     */
    static float[] evaluate(Compute compute, Dit dit, int padding, int... seeds) {
        Backend backend = compute.backend();
        Workspace w = compute.workspace();
        int batch = seeds.length;
        Tensor latents = w.f32(batch, DitSizes.CHANNELS, HEIGHT, WIDTH);
        Tensor context = w.operand(batch, TOKENS, dit.config().contextDim());
        int[] counts = new int[batch];
        for (int i = 0; i < batch; i++) {
            Random random = new Random(seeds[i]);
            counts[i] = 1 + random.nextInt(TOKENS);
            fill(backend, random, latents.at(i));
            fill(backend, random, context.at(i).slice(0, counts[i]));
            fill(backend, new Random(padding), context.at(i).slice(counts[i], TOKENS));
        }
        DitRun run = new DitRun(dit, compute, batch, HEIGHT, WIDTH, TOKENS, TIMES);
        run.setText(context, counts);
        Tensor out = w.f32(batch, DitSizes.CHANNELS, HEIGHT, WIDTH);
        for (float time : TIMES) {
            run.predict(latents, time, out);
        }
        return backend.download(out);
    }

    private static void fill(Backend backend, Random random, Tensor to) {
        float[] values = new float[(int) to.shape().size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        backend.upload(values, to);
    }
}
