package jdiffusion.kernels.elementwise;

import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Operands;
import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.kernels.cuda.RowLaunch;
import jdiffusion.tensor.Tensor;

/** The operations on equal shapes; activations may be float32 or 16 bits, what is combined is float32. */
public final class CudaElementwise {
    /** Of {@code struct Rows}. */
    private static final int ROWS_BYTES = 16;

    private final Cuda cuda;
    private final RowLaunch launch;

    public CudaElementwise(Cuda cuda) {
        this.cuda = cuda;
        this.launch = new RowLaunch(cuda, "elementwise/elementwise");
    }

    /** See {@link jdiffusion.kernels.Backend#activate}. */
    public void activate(Activation activation, Tensor x, Tensor out) {
        Operands.equalShapes("activate", x, out);
        activate("activate", activation, x, null, out);
    }

    /** See {@link jdiffusion.kernels.Backend#gatedActivate}. */
    public void gatedActivate(Activation activation, Tensor x, Tensor y, Tensor out) {
        CpuElementwise.checkGated(x, y, out);
        activate("gatedActivate", activation, x, y, out);
    }

    private void activate(String operation, Activation activation, Tensor x, Tensor y, Tensor out) {
        KernelArgs args = cuda.args().rows(x).rows(y).rows(out);
        launch(operation, "elementwise_activate", args, activation.ordinal(), out, x, y, out);
    }

    /** See {@link jdiffusion.kernels.Backend#combine}; gives the CPU's bits. */
    public void combine(float[] factors, List<Tensor> terms, Tensor out) {
        CpuElementwise.checkCombine(factors, terms, out);
        int unused = CpuElementwise.MOST_TERMS - factors.length;
        KernelArgs args = cuda.args();
        terms.forEach(args::rows);
        args.skip(unused * ROWS_BYTES).rows(out);
        for (float factor : factors) {
            args.float32(factor);
        }
        args.skip(unused * Float.BYTES);
        Tensor[] all = terms.toArray(new Tensor[factors.length + 1]);
        all[factors.length] = out;
        launch("combine", "elementwise_combine", args, factors.length, out, all);
    }

    /** See {@link jdiffusion.kernels.Backend#blend}; gives the CPU's bits. */
    public void blend(Tensor mask, Tensor a, Tensor b, Tensor out) {
        CpuElementwise.checkBlend(mask, a, b, out);
        KernelArgs args = cuda.args().rows(mask).rows(a).rows(b).rows(out);
        launch("blend", "elementwise_blend", args, 0, out, mask, a, b, out);
    }

    /** Adds what follows the tensors in every kernel's struct: columns, rows and a number of its own. */
    private void launch(String operation, String kernel, KernelArgs args, int number, Tensor out, Tensor... tensors) {
        boolean one = RowLaunch.contiguous(tensors);
        int rows = one ? 1 : out.rows();
        long cols = one ? out.shape().size() : out.cols();
        args.int64(cols).int32(rows).int32(number);
        launch.perRun(() -> operation + " of " + out, kernel, rows, cols, RowLaunch.width(rows, cols, tensors), args);
    }
}
