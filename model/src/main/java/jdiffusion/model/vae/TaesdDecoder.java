package jdiffusion.model.vae;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.nn.Conv2d;
import jdiffusion.model.nn.Turns;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/** Latents to image: a convolution, then per resolution blocks, a doubling and a convolution. */
record TaesdDecoder(Conv2d in, List<Level> levels, Conv2d out) {
    /**
     * One resolution, coarsest first.
     *
     * @param upsample follows nearest-neighbour doubling; null at the finest
     */
    record Level(List<TaesdBlock> blocks, Conv2d upsample) {
    }

    /** @param w layers of a sequence, numbered from 0; activations and doublings count, the clamp does not */
    static TaesdDecoder load(Weights w, ConfigFile config) {
        Shape first = VaeConfig.kernels(w, config, "0.weight");
        int width = first.dim(0);
        Conv2d in = Conv2d.load(w.at("0"), width, first.dim(1), 3);
        List<Level> levels = new ArrayList<>();
        int layer = 2;
        while (true) {
            List<TaesdBlock> blocks = new ArrayList<>();
            for (Weights at = w.at(Integer.toString(layer)); TaesdBlock.isIn(at);
                    at = w.at(Integer.toString(++layer))) {
                blocks.add(TaesdBlock.load(at, width));
            }
            if (w.has(layer + ".weight") || w.has(layer + ".bias")) {
                levels.add(new Level(List.copyOf(blocks), null));
                return new TaesdDecoder(in, List.copyOf(levels),
                        Conv2d.load(w.at(Integer.toString(layer)), 3, width, 3));
            }
            layer++;
            int out = VaeConfig.kernels(w, config, layer + ".weight").dim(0);
            levels.add(new Level(List.copyOf(blocks),
                    Conv2d.withoutBias(w.at(Integer.toString(layer++)), out, width, 3)));
            width = out;
        }
    }

    /**
     * @param latents [batch, h, w, latentChannels], clamped
     * @param image   [batch, f h, f w, 3], written, about 0 to 1
     */
    void apply(Compute compute, Tensor latents, Tensor image) {
        Backend backend = compute.backend();
        Workspace w = compute.workspace();
        try (var _ = w.scope()) {
            Turns turns = Turns.in(w, outputs(latents.shape()));
            Tensor x = turns.output(0);
            in.apply(backend, latents, TaesdBlock.RELU, x);
            for (int i = 0; i < levels.size(); i++) {
                Level level = levels.get(i);
                try (var _ = backend.scope("decoder.level", i)) {
                    for (TaesdBlock block : level.blocks()) {
                        block.apply(compute, x);
                    }
                    if (level.upsample() != null) {
                        Tensor y = turns.output(i + 1);
                        backend.upsampledConv2d(x, level.upsample().weight(), null, y, w);
                        x = y;
                    }
                }
            }
            out.apply(backend, x, Epilogue.STORE, image);
        }
    }

    /** What the layers that cannot work in place give, in their order. */
    private List<Shape> outputs(Shape latents) {
        int height = latents.dim(1);
        int width = latents.dim(2);
        List<Shape> shapes = new ArrayList<>();
        shapes.add(Shape.of(latents.dim(0), height, width, in.out()));
        for (Level level : levels) {
            if (level.upsample() != null) {
                height *= 2;
                width *= 2;
                shapes.add(Shape.of(latents.dim(0), height, width, level.upsample().out()));
            }
        }
        return shapes;
    }
}
