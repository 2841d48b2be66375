package jdiffusion.kernels.linear;

import java.util.Locale;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Weight;

/** A way in which weights are stored, and the kernels that read it on their way into the product. */
interface CudaFormat {
    /** The file of its kernels but for the type of product: {@code "linear/linear"}. */
    String file();

    /** The file of its kernels. */
    default String file(DType product, String variant) {
        return file() + "_" + product.name().toLowerCase(Locale.ROOT);
    }

    /** How the names of its kernels begin, before the variant. */
    default String kernel(DType product) {
        return file(product, "").substring(file().indexOf('/') + 1);
    }

    /**
     * What follows that in the name of a kernel, but for its tile.
     *
     * @param plain whether the product has neither a scale nor what an adapter makes of x
     */
    String variant(LinearCall call, DType product, boolean plain);

    /** The largest tile of a variant; the small one where there is no other. */
    GemmTile larger(String variant);

    /** The struct that the loader of weights takes. */
    void weight(KernelArgs args, Weight w);

    /** Of the product, in what its kernels count by. */
    default int depth(LinearCall call) {
        return call.k();
    }

    /** Begins what a failure says of a launch. */
    default String label() {
        return "";
    }

    /** What the whole product is multiplied by. */
    default float scale(Weight w) {
        return 1;
    }
}
