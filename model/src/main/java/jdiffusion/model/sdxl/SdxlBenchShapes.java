package jdiffusion.model.sdxl;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.family.BenchAttention;
import jdiffusion.model.family.BenchShapes;
import jdiffusion.model.family.TextEncoders;

/** What is measured of a UNet: the linear layers and attentions of its transformer blocks at each resolution. */
record SdxlBenchShapes(UnetSizes sizes) implements BenchShapes {
    private static final int LATENT_PIXELS = 8;
    /** Beyond what fits any memory. */
    private static final int LARGEST = 1 << 14;

    @Override
    public int multiple() {
        return LATENT_PIXELS << sizes.channels().size() - 1;
    }

    @Override
    public int largest() {
        return LARGEST;
    }

    @Override
    public int contextTokens(int tokens) {
        return TextEncoders.CLIP_LENGTH;
    }

    private static int tokens(int width, int height, int level) {
        int pixels = LATENT_PIXELS << level;
        return width / pixels * (height / pixels);
    }

    @Override
    public List<int[]> products(int batch, int width, int height, int text) {
        List<int[]> all = new ArrayList<>();
        for (int level = sizes.channels().size() - 1; level >= 0; level--) {
            if (sizes.depths().get(level) > 0) {
                int m = batch * tokens(width, height, level);
                int d = sizes.channels().get(level);
                int inner = UnetConfig.FF_RATIO * d;
                all.addAll(List.of(new int[] {m, d, d}, new int[] {m, d, 3 * d}, new int[] {m, d, 2 * inner},
                        new int[] {m, inner, d}));
            }
        }
        return all;
    }

    @Override
    public List<BenchAttention> attentions(int batch, int width, int height, int text) {
        List<BenchAttention> all = new ArrayList<>();
        for (int level = sizes.channels().size() - 1; level >= 0; level--) {
            if (sizes.depths().get(level) > 0) {
                all.add(BenchAttention.plain(batch, UnetConfig.usualHeads(sizes.channels().get(level)),
                        tokens(width, height, level), UnetSizes.HEAD));
            }
        }
        return all;
    }
}
