package jdiffusion.kernels.linear;

import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Weight;

/**
 * Blocks as GGUF stores them: {@code blocks.cuh} expands them on their way into the product, so that memory holds and
 * delivers the blocks alone.
 */
final class CudaBlocks implements CudaFormat {
    private static final int TILE_K = 32;
    /** Blocks of one tile that are asked for at once. */
    private static final int SMALL_BLOCKS = 4;
    private static final int ALIGNMENT = 4;

    @Override
    public String file() {
        return "linear/linear_blocks";
    }

    @Override
    public String variant(LinearCall call, DType product, boolean sided) {
        return GemmArgs.isDirect(call.x(), product) ? "" : "_x";
    }

    @Override
    public GemmTile larger(String variant) {
        return variant.isEmpty() ? GemmTile.BLOCKS_WIDE : GemmTile.SMALL;
    }

    /** {@code struct Blocks} of {@code blocks.cuh}. */
    @Override
    public void weight(KernelArgs args, Weight weight) {
        Weight.Blocks w = (Weight.Blocks) weight;
        BlockFormat format = w.format();
        long address = w.bytes().data().address();
        if (address % (format.blockBytes() % ALIGNMENT == 0 ? ALIGNMENT : 2) != 0) {
            throw new IllegalArgumentException("blocks of " + format + " at the address " + address);
        }
        boolean small = format.blockSize() == TILE_K;
        args.pointer(w.bytes()).int32(w.bytes().cols()).int32(format.ggmlType())
                .int32(format.blockBytes() * (small ? SMALL_BLOCKS : 1))
                .int32(small ? SMALL_BLOCKS : format.blockSize() / TILE_K).int32(bias(format)).align(8);
    }

    /** What a format's codes are counted from; those of Q8_0 with their sign turned. */
    private static int bias(BlockFormat format) {
        return switch (format) {
            case Q8_0 -> 128;
            case Q4_0 -> 8;
            case Q5_0 -> 16;
            case Q3_K -> 4;
            case Q6_K -> 32;
            case Q4_1, Q5_1, Q2_K, Q4_K, Q5_K -> 0;
        };
    }
}
