package jdiffusion.model.sdxl;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.family.ControlTraits;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.nn.Conv2d;
import jdiffusion.model.nn.GroupNorm;
import jdiffusion.model.nn.TimeTextEmbedding;
import jdiffusion.tensor.WeightBlocks;
import jdiffusion.tensor.Weights;

/**
 * The denoiser of SDXL: a UNet of convolutions with transformers at its coarser resolutions (Podell et al., 2023).
 * Tensor names are those of the diffusers layout.
 *
 * @param conditioning of the time, and of the pooled text with the picture's sizes
 * @param down         resolutions on the way down, finest first
 * @param up           resolutions on the way up, coarsest first
 * @param blocks       of all transformers, in the order in which they run
 */
record Unet(UnetConfig config, Conv2d in, TimeTextEmbedding conditioning, List<Level> down, Middle middle,
            List<Level> up, WeightBlocks<TransformerBlock> blocks, GroupNorm norm, Conv2d out) implements Denoiser {
    /**
     * One resolution.
     *
     * @param transformers one after each residual block, or none
     * @param resize       a convolution that halves, or one that follows a doubling; null at the end
     */
    record Level(List<UnetResnet> resnets, List<SpatialTransformer> transformers, Conv2d resize) {
    }

    /** The coarsest resolution once more: residual block, transformer, residual block. */
    record Middle(UnetResnet first, SpatialTransformer transformer, UnetResnet second) {
    }

    /** Numbers residual blocks and transformer blocks in the order in which they run. */
    private static final class Loading {
        private final Weights w;
        private final UnetConfig c;
        private final List<Weights> blocks = new ArrayList<>();
        private final List<Integer> widths = new ArrayList<>();
        private int resnets;

        Loading(Weights w, UnetConfig c) {
            this.w = w;
            this.c = c;
        }

        UnetResnet resnet(Weights at, int in, int out) {
            return UnetResnet.load(at, c, resnets++, in, out);
        }

        SpatialTransformer transformer(Weights in, String name, int index, int level, int depth) {
            Weights at = in.at("attentions", index);
            int width = c.channels().get(level);
            int first = blocks.size();
            for (int i = 0; i < depth; i++) {
                blocks.add(at.at("transformer_blocks", i));
                widths.add(width);
            }
            return SpatialTransformer.load(at, name + ".attentions." + index, c, width, first, depth, c.heads().get(level));
        }

        List<Level> down() {
            List<Level> levels = new ArrayList<>();
            int in = c.channels().getFirst();
            for (int i = 0; i < c.channels().size(); i++) {
                int out = c.channels().get(i);
                Weights at = w.at("down_blocks", i);
                List<UnetResnet> all = new ArrayList<>();
                List<SpatialTransformer> transformers = new ArrayList<>();
                for (int j = 0; j < c.resnets(); j++) {
                    all.add(resnet(at.at("resnets", j), j == 0 ? in : out, out));
                    if (c.depths().get(i) > 0) {
                        transformers.add(transformer(at, "down_blocks." + i, j, i, c.depths().get(i)));
                    }
                }
                boolean last = i == c.channels().size() - 1;
                levels.add(new Level(List.copyOf(all), List.copyOf(transformers),
                        last ? null : Conv2d.load(at.at("downsamplers.0.conv"), out, out, 3)));
                in = out;
            }
            return List.copyOf(levels);
        }

        Middle middle() {
            int last = c.channels().size() - 1;
            int width = c.channels().get(last);
            Weights at = w.at("mid_block");
            return new Middle(resnet(at.at("resnets", 0), width, width),
                    transformer(at, "mid_block", 0, last, c.middleDepth()),
                    resnet(at.at("resnets", 1), width, width));
        }

        /** @param skips widths of what the way down left, the last first */
        List<Level> up(List<Integer> skips) {
            List<Level> levels = new ArrayList<>();
            int in = c.channels().getLast();
            int next = 0;
            for (int i = 0; i < c.channels().size(); i++) {
                int level = c.channels().size() - 1 - i;
                int out = c.channels().get(level);
                Weights at = w.at("up_blocks", i);
                List<UnetResnet> all = new ArrayList<>();
                List<SpatialTransformer> transformers = new ArrayList<>();
                for (int j = 0; j <= c.resnets(); j++) {
                    all.add(resnet(at.at("resnets", j), (j == 0 ? in : out) + skips.get(next++), out));
                    if (c.depths().get(level) > 0) {
                        transformers.add(transformer(at, "up_blocks." + i, j, level, c.depths().get(level)));
                    }
                }
                levels.add(new Level(List.copyOf(all), List.copyOf(transformers),
                        level == 0 ? null : Conv2d.load(at.at("upsamplers.0.conv"), out, out, 3)));
                in = out;
            }
            return List.copyOf(levels);
        }
    }

    static Unet load(Weights w, ConfigFile file) {
        UnetConfig c = UnetConfig.of(w, file);
        Loading loading = new Loading(w, c);
        int finest = c.channels().getFirst();
        Conv2d in = Conv2d.load(w.at("conv_in"), finest, c.inChannels(), 3);
        TimeTextEmbedding conditioning = TimeTextEmbedding.load(w.at("time_embedding"), finest,
                w.at("add_embedding"), c.addedDim(), c.timeWidth());
        List<Level> down = loading.down();
        Middle middle = loading.middle();
        List<Level> up = loading.up(skips(c).reversed());
        WeightBlocks<TransformerBlock> blocks = w.blocks(loading.blocks,
                (at, i) -> TransformerBlock.load(at, loading.widths.get(i), c.contextDim()));
        Unet unet = new Unet(c, in, conditioning, down, middle, up, blocks,
                GroupNorm.load(w.at("conv_norm_out"), finest, c.groups(), c.eps()),
                Conv2d.load(w.at("conv_out"), c.outChannels(), finest, 3));
        w.finish();
        return unet;
    }

    /** Widths of what the way down leaves for the way up, in order. */
    private static List<Integer> skips(UnetConfig c) {
        List<Integer> widths = new ArrayList<>();
        widths.add(c.channels().getFirst());
        for (int i = 0; i < c.channels().size(); i++) {
            int given = c.resnets() + (i < c.channels().size() - 1 ? 1 : 0);
            for (int j = 0; j < given; j++) {
                widths.add(c.channels().get(i));
            }
        }
        return widths;
    }

    /** All residual blocks, in the order in which they run. */
    List<UnetResnet> resnets() {
        List<UnetResnet> all = new ArrayList<>();
        down.forEach(level -> all.addAll(level.resnets()));
        all.add(middle.first());
        all.add(middle.second());
        up.forEach(level -> all.addAll(level.resnets()));
        return all;
    }

    /** All transformers, in the order in which they run. */
    List<SpatialTransformer> transformers() {
        List<SpatialTransformer> all = new ArrayList<>();
        down.forEach(level -> all.addAll(level.transformers()));
        all.add(middle.transformer());
        up.forEach(level -> all.addAll(level.transformers()));
        return all;
    }

    /** The transformer that a block is part of. */
    SpatialTransformer transformer(int block) {
        return transformers().stream().filter(t -> block < t.first() + t.depth()).findFirst().orElseThrow();
    }

    @Override
    public ControlTraits control() {
        return null;
    }

    @Override
    public UnetRun start(Compute compute, DenoiserSetup setup) {
        return UnetRun.start(this, compute, setup);
    }
}
