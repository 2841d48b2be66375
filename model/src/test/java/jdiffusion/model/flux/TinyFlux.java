package jdiffusion.model.flux;

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
final class TinyFlux {
    static final int HEIGHT = 6;
    static final int WIDTH = 10;
    static final int IMAGE = FluxSizes.CHANNELS * HEIGHT * WIDTH;
    private static final int TOKENS = 9;
    private static final float[] TIMES = {900, 350};

    private TinyFlux() {
    }

    /** Does some work with it on a backend, with weights in bfloat16; what only counts memory comes first. */
    static void run(Backend backend, Consumer<Stage<FluxTransformer>> work) {
        Stages.run(backend, SyntheticFiles.tensors(Families.synthetic("flux-dev").tiny(new Vocabularies(50, 50, 50)),
                Component.DENOISER, DType.BF16), false, Component.DENOISER, "transformer", FluxTransformer::load,
                (Stage<FluxTransformer> stage) -> {
                    work.accept(stage);
                    return null;
                }, _ -> { });
    }

    /** The second of two evaluations of these inputs in this order: [seeds, channels, height, width]. */
    static float[] evaluate(Compute compute, FluxTransformer model, int... seeds) {
        Backend backend = compute.backend();
        Workspace w = compute.workspace();
        int batch = seeds.length;
        Tensor latents = w.f32(batch, FluxSizes.CHANNELS, HEIGHT, WIDTH);
        Tensor context = w.operand(batch, TOKENS, model.config().contextDim());
        Tensor pooled = w.operand(batch, model.config().pooledDim());
        float[] guidance = new float[batch];
        for (int i = 0; i < batch; i++) {
            Random random = new Random(seeds[i]);
            fill(backend, random, latents.at(i));
            fill(backend, random, context.at(i));
            fill(backend, random, pooled.at(i));
            guidance[i] = 1 + 4 * random.nextFloat();
        }
        FluxRun run = new FluxRun(model, compute, batch, HEIGHT, WIDTH, TOKENS, TIMES);
        run.setText(context, pooled, guidance);
        Tensor out = w.f32(batch, FluxSizes.CHANNELS, HEIGHT, WIDTH);
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
