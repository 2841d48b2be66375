package jdiffusion.model.vae;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.model.Compute;
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
                GroupNorm.load(w.at("conv_norm_out"), c, c.channels().getFirst()),
                Conv2d.load(w.at("conv_out"), 3, c.channels().getFirst(), 3));
    }

    /**
     * @param latents [batch, h, w, latentChannels]
     * @param image   [batch, f h, f w, 3], written, about -1 to 1
     */
    void apply(Compute compute, Tensor latents, Tensor image) {
        Backend backend = compute.backend();
        Workspace w = compute.workspace();
        var s = latents.shape();
        int batch = s.dim(0);
        int height = s.dim(1);
        int width = s.dim(2);
        try (var _ = w.scope()) {
            Tensor x = w.f32(batch, height, width, in.out());
            in.apply(backend, latents, Epilogue.STORE, x);
            middle.apply(compute, x);
            for (Level level : levels) {
                for (ResnetBlock block : level.blocks()) {
                    Tensor y = block.shortcut() == null ? x : w.f32(batch, height, width, block.conv1().out());
                    block.apply(compute, x, y);
                    x = y;
                }
                if (level.upsample() != null) {
                    height *= 2;
                    width *= 2;
                    Tensor y = w.f32(batch, height, width, level.upsample().out());
                    try (var _ = w.scope()) {
                        Tensor doubled = w.f32(batch, height, width, x.cols());
                        backend.upsampleNearest(x, doubled);
                        level.upsample().apply(backend, doubled, Epilogue.STORE, y);
                    }
                    x = y;
                }
            }
            norm.apply(backend, x, Activation.SILU, x);
            out.apply(backend, x, Epilogue.STORE, image);
        }
    }
}
