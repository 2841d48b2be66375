package jdiffusion.model.sdxl;

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

/** A small UNet of random weights, and inputs for it that differ at each place in a batch. */
final class TinyUnet {
    static final int HEIGHT = 7;
    static final int WIDTH = 9;
    static final int CHANNELS = UnetSizes.CHANNELS;
    static final int IMAGE = CHANNELS * HEIGHT * WIDTH;
    private static final int TOKENS = 77;
    private static final float[] TIMES = {421, 201};

    private TinyUnet() {
    }

    /** Does some work with it on a backend, with weights in bfloat16; what only counts memory comes first. */
    static void run(Backend backend, Consumer<Stage<Unet>> work) {
        Stages.run(backend, SyntheticFiles.tensors(Families.synthetic("sdxl").tiny(new Vocabularies(50, 50, 0)),
                Component.DENOISER, DType.BF16), false, Component.DENOISER, "unet", Unet::load,
                (Stage<Unet> stage) -> {
                    work.accept(stage);
                    return null;
                }, _ -> { });
    }

    /** The second of two evaluations of these inputs in this order: [seeds, channels, height, width]. */
    static float[] evaluate(Backend backend, Compute compute, Unet unet, int... seeds) {
        Workspace w = compute.workspace();
        int batch = seeds.length;
        Tensor latents = w.f32(batch, CHANNELS, HEIGHT, WIDTH);
        Tensor context = w.operand(batch, TOKENS, unet.config().contextDim());
        Tensor added = w.operand(batch, unet.config().addedDim());
        for (int i = 0; i < batch; i++) {
            Random random = new Random(seeds[i]);
            fill(backend, random, latents.at(i));
            fill(backend, random, context.at(i));
            fill(backend, random, added.at(i));
        }
        UnetRun run = new UnetRun(unet, compute, batch, HEIGHT, WIDTH, TOKENS, TIMES);
        run.setText(context, added);
        Tensor out = w.f32(batch, CHANNELS, HEIGHT, WIDTH);
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
