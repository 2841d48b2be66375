package jdiffusion.kernels.join;

import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.kernels.cuda.RowLaunch;
import jdiffusion.tensor.Tensor;

/** Two tensors side by side; all three are float32 or 16 bits, each as it likes. */
public final class CudaJoin {
    private final Cuda cuda;
    private final RowLaunch launch;

    public CudaJoin(Cuda cuda) {
        this.cuda = cuda;
        this.launch = new RowLaunch(cuda, "join/join");
    }

    /** See {@link jdiffusion.kernels.Backend#joinChannels}. */
    public void run(Tensor a, Tensor b, Tensor out) {
        CpuJoin.check(a, b, out);
        int rows = out.rows();
        int width = Math.min(RowLaunch.width(rows, a.cols(), a, out), RowLaunch.width(rows, b.cols(), b, out));
        KernelArgs args = cuda.args().rows(a).rows(b).rows(out).int32(rows).int32(a.cols()).int32(b.cols()).align(8);
        launch.perRun(() -> "joinChannels of " + a + " and " + b, "join", rows, out.cols(), width, args);
    }
}
