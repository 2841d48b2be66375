package jdiffusion.kernels.linear;

import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/** Elements of a plain type, read by {@code loaders.cuh}; a scale that they share is applied to the sums. */
final class CudaDense implements CudaFormat {
    @Override
    public String file() {
        return "linear/linear";
    }

    @Override
    public String variant(LinearCall call, DType product, boolean plain) {
        return (GemmArgs.isDirect(call.x(), product) ? "" : "_x")
                + (plain && GemmArgs.isDirect(tensor(call.w()), product) ? "" : "_w");
    }

    @Override
    public GemmTile larger(String variant) {
        return variant.isEmpty() ? GemmTile.BROAD : variant.contains("_x") ? GemmTile.SMALL : GemmTile.LARGE;
    }

    @Override
    public void weight(KernelArgs args, Weight w) {
        GemmArgs.rows(args, tensor(w));
    }

    @Override
    public float scale(Weight w) {
        return w instanceof Weight.Scaled scaled ? scaled.scale() : 1;
    }

    private static Tensor tensor(Weight w) {
        return w instanceof Weight.Scaled scaled ? scaled.tensor() : ((Weight.Dense) w).tensor();
    }
}
