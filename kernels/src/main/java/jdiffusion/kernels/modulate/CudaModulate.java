package jdiffusion.kernels.modulate;

import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.kernels.cuda.RowLaunch;
import jdiffusion.tensor.Tensor;

/** Modulation without a norm; x and out are float32 or 16 bits, each as it likes. Gives the CPU's bits. */
public final class CudaModulate {
    private final Cuda cuda;
    private final RowLaunch launch;

    public CudaModulate(Cuda cuda) {
        this.cuda = cuda;
        this.launch = new RowLaunch(cuda, "modulate/modulate");
    }

    /** See {@link jdiffusion.kernels.Backend#modulate}. */
    public void run(Tensor x, Tensor scale, Tensor shift, Tensor out) {
        CpuModulate.check(x, scale, shift, out);
        int rows = x.rows();
        KernelArgs args = cuda.args().rows(x).rows(scale).rows(shift).rows(out)
                .int32(rows).int32(x.cols()).int32(rows / scale.rows()).align(8);
        launch.perRun(() -> "modulate of " + x, "modulate", rows, x.cols(),
                RowLaunch.width(rows, x.cols(), x, scale, shift, out), args);
    }
}
