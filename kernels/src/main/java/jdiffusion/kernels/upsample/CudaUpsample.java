package jdiffusion.kernels.upsample;

import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.kernels.cuda.RowLaunch;
import jdiffusion.tensor.Tensor;

/** Nearest-neighbour upsampling by 2; x and out are float32 or 16 bits, each as it likes. */
public final class CudaUpsample {
    private final Cuda cuda;
    private final RowLaunch launch;

    public CudaUpsample(Cuda cuda) {
        this.cuda = cuda;
        this.launch = new RowLaunch(cuda, "upsample/upsample");
    }

    /** See {@link jdiffusion.kernels.Backend#upsampleNearest}. */
    public void run(Tensor x, Tensor out) {
        CpuUpsample.check(x, out);
        int height = x.shape().dim(1);
        int width = x.shape().dim(2);
        int lines = Math.multiplyExact(x.shape().dim(0), height);
        int ofLine = Math.multiplyExact(width, x.cols());
        KernelArgs args = cuda.args().rows(x).rows(out).int32(lines).int32(height).int32(width)
                .int32(out.shape().dim(1)).int32(out.shape().dim(2)).int32(x.cols()).align(8);
        launch.perRun(() -> "upsampleNearest of " + x, "upsample", lines, ofLine,
                RowLaunch.width(out.rows(), x.cols(), x, out), args);
    }
}
