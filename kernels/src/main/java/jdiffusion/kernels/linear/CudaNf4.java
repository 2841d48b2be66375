package jdiffusion.kernels.linear;

import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FourBitWeight;
import jdiffusion.tensor.Weight;

/**
 * 4-bit codes as bitsandbytes stores them: {@code four_bit.cuh} expands them on their way into the product, so that
 * memory holds and delivers the codes alone.
 */
final class CudaNf4 implements CudaFormat {
    private static final int CODES_ALIGNMENT = 16;
    /** Elements of a row that two threads read together; rows of whole ones take the fast way. */
    private static final int RUN = 64;

    @Override
    public String file() {
        return "linear/linear_nf4";
    }

    @Override
    public String label() {
        return "in 4 bits ";
    }

    @Override
    public String variant(LinearCall call, DType product, boolean plain) {
        return (GemmArgs.isDirect(call.x(), product) ? "" : "_x") + (isWhole((FourBitWeight) call.w()) ? "" : "_any");
    }

    /** Whether rows begin and end with blocks and with the units in which codes are loaded. */
    private static boolean isWhole(FourBitWeight w) {
        return w.cols() % RUN == 0 && w.blockSize() % RUN == 0
                && w.codes().data().address() % CODES_ALIGNMENT == 0;
    }

    /** The wide tile is for many rows, read directly from both sides. */
    @Override
    public GemmTile larger(String variant) {
        return variant.isEmpty() ? GemmTile.FOUR_BIT_WIDE : GemmTile.SMALL;
    }

    /** {@code struct FourBit} of {@code four_bit.cuh}. */
    @Override
    public void weight(KernelArgs args, Weight weight) {
        FourBitWeight w = (FourBitWeight) weight;
        FourBitWeight.Nested nested = w.nested();
        args.pointer(w.codes()).pointer(w.map()).pointer(w.absmax());
        args.pointer(nested == null ? null : nested.absmax()).pointer(nested == null ? null : nested.map());
        args.float32(nested == null ? 0 : nested.offset()).int32(Integer.numberOfTrailingZeros(w.blockSize()))
                .int32(nested == null ? 0 : Integer.numberOfTrailingZeros(nested.blockSize()));
    }
}
