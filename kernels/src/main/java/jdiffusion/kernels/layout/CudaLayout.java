package jdiffusion.kernels.layout;

import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.tensor.Tensor;

/** Images between channels-first and channels-last; both sides are float32 or 16 bits, each as it likes. */
public final class CudaLayout {
    /** Sides of the largest tile. */
    private static final int TILE = 32;
    private static final int THREADS = 256;
    private static final int MOST_BLOCKS_OF_Z = 65535;

    private final Cuda cuda;

    public CudaLayout(Cuda cuda) {
        this.cuda = cuda;
    }

    /** See {@link jdiffusion.kernels.Backend#channelsLast}. */
    public void channelsLast(Tensor x, Tensor out) {
        CpuLayout.check("channelsLast", x, out, x, out);
        launch("channelsLast", "layout_channels_last", x, out, x);
    }

    /** See {@link jdiffusion.kernels.Backend#channelsFirst}. */
    public void channelsFirst(Tensor x, Tensor out) {
        CpuLayout.check("channelsFirst", x, out, out, x);
        launch("channelsFirst", "layout_channels_first", out, x, x);
    }

    private void launch(String operation, String kernel, Tensor first, Tensor last, Tensor x) {
        if (x.shape().size() == 0) {
            return;
        }
        int c = last.cols();
        int h = first.shape().dim(2);
        int w = first.cols();
        int lines = Math.multiplyExact(first.shape().dim(0), h);
        int tile = Math.min(c, TILE);
        KernelArgs args = cuda.args().rows(first).rows(last)
                .int32(lines).int32(c).int32(h).int32(w).int32(tile).align(8);
        cuda.kernel("layout/layout", kernel).launch(() -> operation + " of " + x, Math.ceilDiv(w, TILE),
                Math.ceilDiv(c, tile), Math.min(lines, MOST_BLOCKS_OF_Z), THREADS, 0, args);
    }
}
