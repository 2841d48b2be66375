package jdiffusion.model.flux;

import java.util.Arrays;
import java.util.List;
import jdiffusion.model.Compute;
import jdiffusion.model.family.BenchAttention;
import jdiffusion.model.family.BenchBlock;
import jdiffusion.model.family.BenchShapes;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserSetup;

/** What is measured of FLUX.1: the linear layers of a double and of a single stream block, and their attention. */
record FluxBenchShapes(FluxSizes sizes) implements BenchShapes {
    private static final int PATCH_PIXELS = 16;
    /** Beyond what fits any memory. */
    private static final int LARGEST = 1 << 14;
    /** Any will do. */
    private static final float TIME = 500;

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

    /** Patches of the image, and text. */
    private static int tokens(int width, int height, int text) {
        return width / PATCH_PIXELS * (height / PATCH_PIXELS) + text;
    }

    @Override
    public List<int[]> products(int batch, int width, int height, int text) {
        int m = batch * tokens(width, height, text);
        int d = sizes.hidden();
        int inner = FluxConfig.MLP_RATIO * d;
        return List.of(new int[] {m, d, d}, new int[] {m, d, 3 * d}, new int[] {m, d, inner}, new int[] {m, inner, d},
                new int[] {m, d, 3 * d + inner}, new int[] {m, d + inner, d});
    }

    /** With its modulations, which a picture's steps share. */
    @Override
    public List<BenchBlock> blocks() {
        return List.of(new BenchBlock("double stream block", sizes.withBlocks(1, 0), FluxBenchShapes::prepare),
                new BenchBlock("single stream block", sizes.withBlocks(0, 1), FluxBenchShapes::prepare));
    }

    private static Runnable prepare(Denoiser denoiser, Compute compute, DenoiserSetup setup) {
        FluxRun run = ((FluxTransformer) denoiser).start(compute, setup);
        float[] times = new float[setup.batch()];
        Arrays.fill(times, TIME);
        run.fill();
        return () -> run.onlyBlock(times);
    }

    @Override
    public List<BenchAttention> attentions(int batch, int width, int height, int text) {
        int image = tokens(width, height, text) - text;
        return List.of(BenchAttention.plain(batch, sizes.heads(), image + text, sizes.head()),
                new BenchAttention(batch, sizes.heads(), List.of(text, image), sizes.head(), true, true));
    }
}
