package jdiffusion.model.auraflow;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import jdiffusion.kernels.Backend;
import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.DenoiserRun;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.synthetic.SyntheticFiles;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/** A small transformer of random weights, and inputs for it that differ at each place in a batch. */
final class TinyAuraFlow {
    static final int HEIGHT = 10;
    static final int WIDTH = 14;
    static final int IMAGE = AuraFlowSizes.CHANNELS * HEIGHT * WIDTH;
    private static final int TOKENS = 21;
    private static final float[] TIMES = {1000, 421};

    private TinyAuraFlow() {
    }

    /** The second of two evaluations of these inputs in this order, [seeds, channels, height, width]. */
    static float[] evaluate(Backend backend, int... seeds) {
        return Stages.run(backend, SyntheticFiles.tensors(Families.synthetic("auraflow").tiny(
                new Vocabularies(0, 0, 50)), Component.DENOISER, DType.BF16), false, Component.DENOISER, "transformer",
                AuraFlowTransformer::load, stage -> evaluate(stage.compute(), stage.model(), seeds), _ -> { });
    }

    private static float[] evaluate(Compute compute, AuraFlowTransformer model, int[] seeds) {
        Tensor latents = compute.workspace().f32(seeds.length, AuraFlowSizes.CHANNELS, HEIGHT, WIDTH);
        List<Conditioning> texts = new ArrayList<>();
        for (int i = 0; i < seeds.length; i++) {
            Random random = new Random(seeds[i]);
            compute.backend().upload(normal(random, IMAGE), latents.at(i));
            int width = model.config().contextDim();
            texts.add(AuraFlowConditioner.of(normal(random, TOKENS * width), TOKENS, width));
        }
        DenoiserRun run = model.start(compute, new DenoiserSetup(texts, 1, HEIGHT, WIDTH, TIMES));
        Tensor out = compute.workspace().f32(latents.shape().dims());
        for (float time : TIMES) {
            run.predict(latents, time, out);
        }
        return compute.backend().download(out);
    }

    private static float[] normal(Random random, int size) {
        float[] values = new float[size];
        for (int i = 0; i < size; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
