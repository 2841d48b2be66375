package jdiffusion.model.sd3;

import java.util.List;
import jdiffusion.model.family.BenchAttention;
import jdiffusion.model.family.BenchShapes;
import jdiffusion.model.family.TextEncoders;

/** What is measured of an MMDiT: the linear layers and the joint attention of a block. */
record Sd3BenchShapes(MmditSizes sizes) implements BenchShapes {
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
        return TextEncoders.CLIP_LENGTH + tokens;
    }

    /** Patches of the image, and text. */
    private int tokens(int width, int height, int text) {
        return width / PATCH_PIXELS * (height / PATCH_PIXELS) + contextTokens(text);
    }

    @Override
    public List<int[]> products(int batch, int width, int height, int text) {
        int m = batch * tokens(width, height, text);
        int d = sizes.hidden();
        int inner = MmditConfig.MLP_RATIO * d;
        return List.of(new int[] {m, d, d}, new int[] {m, d, 3 * d}, new int[] {m, d, inner},
                new int[] {m, inner, d});
    }

    @Override
    public List<BenchAttention> attentions(int batch, int width, int height, int text) {
        int context = contextTokens(text);
        int image = tokens(width, height, text) - context;
        return List.of(BenchAttention.plain(batch, sizes.heads(), image + context, MmditSizes.HEAD),
                new BenchAttention(batch, sizes.heads(), List.of(image, context), MmditSizes.HEAD, sizes.qkNorm(),
                        false));
    }
}
