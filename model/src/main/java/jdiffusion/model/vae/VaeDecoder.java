package jdiffusion.model.vae;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.model.Compute;
import jdiffusion.model.nn.Conv2d;
import jdiffusion.model.nn.GroupNorm;
import jdiffusion.model.nn.Turns;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/** Latents to image: convolution, middle block, then per resolution residual blocks and a doubling. */
record VaeDecoder(Conv2d in, MidBlock middle, List<Level> levels, GroupNorm norm, Conv2d out) {
    /**
     * One resolution, coarsest first.
     *
     * @param upsample follows nearest-neighbour doubling; null at the finest
     */
    record Level(List<ResnetBlock> blocks, Conv2d upsample) {
    }

    static VaeDecoder load(Weights w, VaeConfig c) {
        int coarsest = c.channels().getLast();
        List<Level> levels = new ArrayList<>();
        int in = coarsest;
        for (int i = 0; i < c.channels().size(); i++) {
            int out = c.channels().get(c.channels().size() - 1 - i);
            Weights level = w.at("up_blocks", i);
            List<ResnetBlock> blocks = new ArrayList<>();
            for (int j = 0; j <= c.layers(); j++) {
                blocks.add(ResnetBlock.load(level.at("resnets", j), c, j == 0 ? in : out, out));
            }
            boolean finest = i == c.channels().size() - 1;
            levels.add(new Level(List.copyOf(blocks),
                    finest ? null : Conv2d.load(level.at("upsamplers.0.conv"), out, out, 3)));
            in = out;
        }
        return new VaeDecoder(Conv2d.load(w.at("conv_in"), coarsest, c.latentChannels(), 3),
                MidBlock.load(w.at("mid_block"), c, coarsest), List.copyOf(levels),
                c.norm(w.at("conv_norm_out"), c.channels().getFirst()),
                Conv2d.load(w.at("conv_out"), 3, c.channels().getFirst(), 3));
    }

    /**
     * @param latents [batch, h, w, latentChannels]
     * @param image   [batch, f h, f w, 3], written, about -1 to 1
     */
    void apply(Compute compute, Tensor latents, Tensor image) {
        Backend backend = compute.backend();
        Workspace w = compute.workspace();
        List<Shape> shapes = outputs(latents.shape());
        try (var _ = w.scope()) {
            Turns turns = Turns.in(w, shapes);
            int next = 0;
            Tensor x = turns.output(next++);
            compute.seeImage("decoder.in", "decoder.conv_in (input)", latents);
            in.apply(backend, latents, Epilogue.STORE, x);
            compute.seeImage("decoder.conv_in", "decoder.conv_in", x);
            try (var _ = backend.scope("decoder.mid_block")) {
                middle.apply(compute, "decoder", x);
            }
            compute.seeImage("decoder.mid", "decoder.mid_block", x);
            for (int i = 0; i < levels.size(); i++) {
                Level level = levels.get(i);
                try (var _ = backend.scope("decoder.up_blocks", i)) {
                    for (ResnetBlock block : level.blocks()) {
                        Tensor y = block.shortcut() == null ? x : turns.output(next++);
                        block.apply(compute, x, y);
                        x = y;
                    }
                    if (level.upsample() != null) {
                        Tensor y = turns.output(next++);
                        backend.upsampledConv2d(x, level.upsample().weight(), level.upsample().bias(), y, w);
                        x = y;
                    }
                }
                if (compute.traced()) {
                    compute.seeImage("decoder.up." + i, "decoder.up_blocks." + i, x);
                }
            }
            out.applyNormed(compute, norm, x, Epilogue.STORE, image);
        }
    }

    /** What the layers that cannot work in place give, in their order. */
    private List<Shape> outputs(Shape latents) {
        int batch = latents.dim(0);
        int height = latents.dim(1);
        int width = latents.dim(2);
        List<Shape> shapes = new ArrayList<>();
        shapes.add(Shape.of(batch, height, width, in.out()));
        for (Level level : levels) {
            for (ResnetBlock block : level.blocks()) {
                if (block.shortcut() != null) {
                    shapes.add(Shape.of(batch, height, width, block.conv1().out()));
                }
            }
            if (level.upsample() != null) {
                height *= 2;
                width *= 2;
                shapes.add(Shape.of(batch, height, width, level.upsample().out()));
            }
        }
        return shapes;
    }
}
