package jdiffusion.kernels.groupnorm;

import jdiffusion.kernels.Activation;
import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.kernels.cuda.RowLaunch;
import jdiffusion.tensor.Tensor;

/** GroupNorm and an activation; x and out are float32 or 16 bits, each as it likes. */
public final class CudaGroupNorm {
    private static final String FILE = "groupnorm/groupnorm";
    private static final int WARP = 32;
    private static final int MOST_THREADS = 256;
    /** What a thread loads before it computes. */
    private static final int PIXELS_AT_A_TIME = 4;
    /** Enough tiles for every card, and few enough that joining them costs nothing. */
    private static final int MOST_TILES = 2048;
    private static final int LEAST_ELEMENTS = 4096;
    private static final int MOMENTS_BYTES = 2 * Float.BYTES;
    private static final int PARAMETERS_BYTES = 4 * Float.BYTES;

    private final Cuda cuda;

    public CudaGroupNorm(Cuda cuda) {
        this.cuda = cuda;
    }

    /**
     * How the work is cut; as on the CPU it follows from one image alone.
     *
     * @param width     channels that a thread reads at a time
     * @param lanes     threads on the channels of a pixel
     * @param pixelStep pixels that a block reads at a time
     */
    private record Cut(int width, int lanes, int pixelStep, int tilePixels, int tiles) {
        static Cut of(GroupNormShape s, int width) {
            int lanes = Math.min(MOST_THREADS, s.channels() / width);
            int pixelStep = MOST_THREADS / lanes;
            long elements = Math.max(LEAST_ELEMENTS,
                    Math.ceilDiv((long) s.pixels() * s.channels(), (long) MOST_TILES));
            int atATime = PIXELS_AT_A_TIME * pixelStep;
            int tilePixels = (int) Math.ceilDiv(Math.ceilDiv(elements, (long) s.channels()), (long) atATime) * atATime;
            return new Cut(width, lanes, pixelStep, tilePixels, Math.ceilDiv(s.pixels(), tilePixels));
        }

        int threads() {
            return Math.ceilDiv(lanes * pixelStep, WARP) * WARP;
        }
    }

    private static Cut cut(GroupNormShape s, Tensor x, Tensor weight, Tensor bias, Tensor out) {
        return Cut.of(s, RowLaunch.width(x.rows(), s.groupSize(), x, weight, bias, out));
    }

    private static long parametersBytes(GroupNormShape s) {
        return (long) s.batch() * s.groups() * PARAMETERS_BYTES;
    }

    private static long scratchBytes(GroupNormShape s, Cut cut) {
        return parametersBytes(s) + (long) s.batch() * s.groups() * cut.tiles * MOMENTS_BYTES;
    }

    /** The scratch memory that {@link #run} takes. */
    public static long scratchBytes(Tensor x, int groups, Tensor weight, Tensor bias, Tensor out) {
        GroupNormShape s = GroupNormShape.of(x, groups, weight, bias, out);
        return scratchBytes(s, cut(s, x, weight, bias, out));
    }

    /** See {@link jdiffusion.kernels.Backend#groupNorm}; weight and bias may be null. */
    public void run(Tensor x, int groups, Tensor weight, Tensor bias, float eps, Activation activation, Tensor out) {
        GroupNormShape s = GroupNormShape.of(x, groups, weight, bias, out);
        Cut cut = cut(s, x, weight, bias, out);
        long parameters = cuda.scratch(scratchBytes(s, cut));
        long moments = parameters + parametersBytes(s);
        // The same arguments for all three launches.
        KernelArgs args = cuda.args().rows(x).rows(weight).rows(bias).rows(out).pointer(moments).pointer(parameters)
                .int32(s.pixels()).int32(s.channels()).int32(groups).int32(cut.tiles).int32(cut.tilePixels)
                .int32(cut.lanes).int32(cut.pixelStep).int32(activation.ordinal()).float32(eps).align(8);
        String ending = RowLaunch.ending(cut.width);
        launch("groupnorm_describe" + ending, x, cut.tiles, s.batch(), cut.threads(),
                cut.pixelStep * (s.channels() / cut.width | 1) * MOMENTS_BYTES, args);
        launch("groupnorm_join", x, groups, s.batch(), MOST_THREADS, 0, args);
        launch("groupnorm_normalize" + ending, x, cut.tiles, s.batch(), cut.threads(), 0, args);
    }

    private void launch(String entry, Tensor x, int gridX, int gridY, int threads, int sharedBytes, KernelArgs args) {
        cuda.kernel(FILE, entry).launch(() -> "groupNorm of " + x, gridX, gridY, 1, threads, sharedBytes, args);
    }
}
