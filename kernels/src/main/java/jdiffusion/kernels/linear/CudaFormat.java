package jdiffusion.kernels.linear;

import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Weight;

/** A way in which weights are stored, and the kernels that read it on their way into the product. */
interface CudaFormat {
    /** The file of its kernels but for the type of product: {@code "linear/linear"}. */
    String file();

    /**
     * What follows the type of product in the name of a kernel, but for its tile.
     *
     * @param sided whether the kernel has to add what an adapter makes of x
     */
    String variant(LinearCall call, DType product, boolean sided);

    /** The larger tile of a variant; the small one where there is no other. */
    GemmTile larger(String variant);

    /** The struct that the loader of weights takes. */
    void weight(KernelArgs args, Weight w);

    /** What the whole product is multiplied by. */
    default float scale(Weight w) {
        return 1;
    }
}
