package jdiffusion.kernels.layernorm;

import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.kernels.cuda.RowLaunch;
import jdiffusion.tensor.Tensor;

/** LayerNorm with modulation; x and out are float32 or 16 bits, each as it likes. */
public final class CudaLayerNorm {
    private final Cuda cuda;
    private final RowLaunch launch;

    public CudaLayerNorm(Cuda cuda) {
        this.cuda = cuda;
        this.launch = new RowLaunch(cuda, "layernorm/layernorm");
    }

    /** See {@link jdiffusion.kernels.Backend#layerNorm}. */
    public void run(Tensor x, Tensor weight, Tensor bias, Tensor scale, Tensor shift, float eps, Tensor out) {
        CpuLayerNorm.check(x, weight, bias, scale, shift, out);
        launch(x, weight, bias, scale, shift, out, null, null, null, eps);
    }

    /** See {@link jdiffusion.kernels.Backend#layerNormTwice}; x is read once. Either out may be x. */
    public void run2(Tensor x, Tensor scale1, Tensor shift1, Tensor out1, Tensor scale2, Tensor shift2, Tensor out2,
                     float eps) {
        CpuLayerNorm.check(x, null, null, scale1, shift1, out1);
        CpuLayerNorm.check(x, null, null, scale2, shift2, out2);
        if (entries(scale1) != entries(scale2)) {
            throw new IllegalArgumentException("layerNorm needs two modulations of one batch, got " + scale1 + " and "
                    + scale2);
        }
        launch(x, null, null, scale1, shift1, out1, scale2, shift2, out2, eps);
    }

    private void launch(Tensor x, Tensor weight, Tensor bias, Tensor scale1, Tensor shift1, Tensor out1,
                        Tensor scale2, Tensor shift2, Tensor out2, float eps) {
        int width = RowLaunch.width(x.rows(), x.cols(), x, weight, bias, scale1, shift1, out1, scale2, shift2, out2);
        KernelArgs args = cuda.args().rows(x).rows(weight).rows(bias)
                .rows(scale1).rows(shift1).rows(out1)
                .rows(scale2).rows(shift2).rows(out2)
                .int32(x.rows()).int32(x.cols()).int32(x.rows() / entries(scale1)).float32(eps);
        launch.perRow(() -> "layerNorm of " + x, "layernorm", x.rows(), x.cols(), width, args);
    }

    private static int entries(Tensor scale) {
        return scale == null ? 1 : scale.rows();
    }
}
