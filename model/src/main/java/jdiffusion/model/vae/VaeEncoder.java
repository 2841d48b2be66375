package jdiffusion.model.vae;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.model.Compute;
import jdiffusion.model.nn.Conv2d;
import jdiffusion.model.nn.GroupNorm;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/** Image to the mean and log-variance of its latents: per resolution residual blocks and a halving. */
record VaeEncoder(Conv2d in, List<Level> levels, MidBlock middle, GroupNorm norm, Conv2d out) {
    /**
     * One resolution, finest first.
     *
     * @param downsample of stride 2; null at the coarsest
     */
    record Level(List<ResnetBlock> blocks, Conv2d downsample) {
    }

    static VaeEncoder load(Weights w, VaeConfig c) {
        int finest = c.channels().getFirst();
        int coarsest = c.channels().getLast();
        List<Level> levels = new ArrayList<>();
        int in = finest;
        for (int i = 0; i < c.channels().size(); i++) {
            int out = c.channels().get(i);
            Weights level = w.at("down_blocks", i);
            List<ResnetBlock> blocks = new ArrayList<>();
            for (int j = 0; j < c.layers(); j++) {
                blocks.add(ResnetBlock.load(level.at("resnets", j), c, j == 0 ? in : out, out));
            }
            boolean last = i == c.channels().size() - 1;
            levels.add(new Level(List.copyOf(blocks),
                    last ? null : Conv2d.load(level.at("downsamplers.0.conv"), out, out, 3)));
            in = out;
        }
        return new VaeEncoder(Conv2d.load(w.at("conv_in"), finest, 3, 3), List.copyOf(levels),
                MidBlock.load(w.at("mid_block"), c, coarsest), c.norm(w.at("conv_norm_out"), coarsest),
                Conv2d.load(w.at("conv_out"), 2 * c.latentChannels(), coarsest, 3));
    }

    /**
     * @param image   [batch, f h, f w, 3] in -1 to 1
     * @param moments [batch, h, w, 2 * latentChannels], written: means, then log-variances as they come
     */
    void apply(Compute compute, Tensor image, Tensor moments) {
        Backend backend = compute.backend();
        Workspace w = compute.workspace();
        var s = image.shape();
        int batch = s.dim(0);
        int height = s.dim(1);
        int width = s.dim(2);
        try (var _ = w.scope()) {
            Tensor x = w.f32(batch, height, width, in.out());
            in.apply(backend, image, Epilogue.STORE, x);
            compute.seeImage("encoder.conv_in", "encoder.conv_in", x);
            for (int i = 0; i < levels.size(); i++) {
                Level level = levels.get(i);
                try (var _ = backend.scope("encoder.down_blocks", i)) {
                    for (ResnetBlock block : level.blocks()) {
                        Tensor y = block.shortcut() == null ? x : w.f32(batch, height, width, block.conv1().out());
                        block.apply(compute, x, y);
                        x = y;
                    }
                    if (level.downsample() != null) {
                        height /= 2;
                        width /= 2;
                        Tensor y = w.f32(batch, height, width, level.downsample().out());
                        level.downsample().applyHalving(backend, x, y);
                        x = y;
                    }
                }
                if (compute.traced()) {
                    compute.seeImage("encoder.down." + i, "encoder.down_blocks." + i, x);
                }
            }
            try (var _ = backend.scope("encoder.mid_block")) {
                middle.apply(compute, "encoder", x);
            }
            compute.seeImage("encoder.mid", "encoder.mid_block", x);
            out.applyNormed(compute, norm, x, Epilogue.STORE, moments);
            compute.seeImage("encoder.moments", "encoder.conv_out", moments);
        }
    }
}
