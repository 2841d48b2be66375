package jdiffusion.model.pixart;

import java.util.List;
import jdiffusion.model.family.BenchAttention;
import jdiffusion.model.family.BenchShapes;

/** What is measured of PixArt's transformer: the linear layers of a block, and the attention among its patches. */
record PixartBenchShapes(DitSizes sizes) implements BenchShapes {
    private static final int PATCH_PIXELS = 16;
    /** Beyond what fits any memory. */
    private static final int LARGEST = 1 << 14;

    @Override
    public int multiple() {
        return PATCH_PIXELS;
    }

    @Override
    public int largest() {
        return LARGEST;
    }

    @Override
    public int contextTokens(int tokens) {
        return tokens;
    }

    private static int tokens(int width, int height) {
        return width / PATCH_PIXELS * (height / PATCH_PIXELS);
    }

    @Override
    public List<int[]> products(int batch, int width, int height, int text) {
        int m = batch * tokens(width, height);
        int d = sizes.hidden();
        int inner = DitConfig.MLP_RATIO * d;
        return List.of(new int[] {m, d, d}, new int[] {m, d, 3 * d}, new int[] {m, d, inner},
                new int[] {m, inner, d});
    }

    @Override
    public List<BenchAttention> attentions(int batch, int width, int height, int text) {
        return List.of(BenchAttention.plain(batch, sizes.heads(), tokens(width, height), DitSizes.HEAD));
    }
}
