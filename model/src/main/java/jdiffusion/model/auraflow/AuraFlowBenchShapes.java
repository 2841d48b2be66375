package jdiffusion.model.auraflow;

import java.util.List;
import jdiffusion.model.family.BenchAttention;
import jdiffusion.model.family.BenchShapes;

/** What is measured of AuraFlow's transformer: the linear layers and the attention of a single block. */
record AuraFlowBenchShapes(AuraFlowSizes sizes) implements BenchShapes {
    private static final int PATCH_PIXELS = 16;

    @Override
    public int multiple() {
        return PATCH_PIXELS;
    }

    @Override
    public int largest() {
        return sizes.positions() * PATCH_PIXELS;
    }

    @Override
    public int contextTokens(int tokens) {
        return AuraFlowSizes.REGISTERS + tokens;
    }

    /** Patches of the image, registers and text. */
    private int tokens(int width, int height, int text) {
        return width / PATCH_PIXELS * (height / PATCH_PIXELS) + contextTokens(text);
    }

    @Override
    public List<int[]> products(int batch, int width, int height, int text) {
        int m = batch * tokens(width, height, text);
        int d = sizes.hidden();
        return List.of(new int[] {m, d, d}, new int[] {m, d, 3 * d}, new int[] {m, d, sizes.inner()},
                new int[] {m, sizes.inner(), d});
    }

    /** As one stream without norms. */
    @Override
    public List<BenchAttention> attentions(int batch, int width, int height, int text) {
        return List.of(BenchAttention.plain(batch, sizes.heads(), tokens(width, height, text), sizes.head()));
    }
}
