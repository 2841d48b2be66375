package jdiffusion.kernels.rmsnorm;

import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.kernels.cuda.RowLaunch;
import jdiffusion.tensor.Tensor;

/** Root mean square normalisation; x and out are float32 or 16 bits, each as it likes. */
public final class CudaRmsNorm {
    private final Cuda cuda;
    private final RowLaunch launch;

    public CudaRmsNorm(Cuda cuda) {
        this.cuda = cuda;
        this.launch = new RowLaunch(cuda, "rmsnorm/rmsnorm");
    }

    /** See {@link jdiffusion.kernels.Backend#rmsNorm}. */
    public void run(Tensor x, Tensor weight, float eps, Tensor out) {
        CpuRmsNorm.check(x, weight, out);
        KernelArgs args = cuda.args().rows(x).rows(weight).rows(out)
                .int32(x.rows()).int32(x.cols()).float32(eps).align(8);
        launch.perRow(() -> "rmsNorm of " + x, "rmsnorm", x.rows(), x.cols(),
                RowLaunch.width(x.rows(), x.cols(), x, weight, out), args);
    }
}
