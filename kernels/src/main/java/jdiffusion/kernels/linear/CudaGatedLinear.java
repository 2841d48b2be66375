package jdiffusion.kernels.linear;

import java.util.List;
import java.util.Locale;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/**
 * Gated layers on a CUDA device. Where x and weights go straight to shared memory, a block computes values and their
 * gates side by side, so that out is written once and never read; elsewhere the gates are a launch of their own that
 * multiplies what the first has stored. An adapter beside the weights is part of the one launch where
 * {@link CudaMappedLinear} makes it.
 */
public final class CudaGatedLinear {
    private final Cuda cuda;
    private final CudaLinear linear;
    private final CudaMappedLinear mapped;

    public CudaGatedLinear(Cuda cuda, CudaLinear linear) {
        this.cuda = cuda;
        this.linear = linear;
        mapped = new CudaMappedLinear(cuda);
    }

    /** See {@link jdiffusion.kernels.Backend#gatedLinear}. */
    public void run(Tensor x, Weight w, Tensor bias, Activation activation, Tensor out) {
        List<LinearCall> halves = LinearCall.gated(x, w, bias, activation, out);
        DType type = GemmArgs.productType(cuda.operandType(), x);
        if (w instanceof Weight.Dense(Tensor rows) && GemmArgs.isDirect(x, type) && GemmArgs.isDirect(rows, type)) {
            launch(x, rows, bias, activation, out, type);
        } else if (w instanceof Weight.Adapted(Weight.Dense(Tensor rows), List<Delta> deltas)
                && GemmArgs.isDirect(x, type) && GemmArgs.isDirect(rows, type) && out.shape().size() > 0
                && deltas.size() == 1 && deltas.getFirst() instanceof Delta.LowRank pair
                && GemmArgs.isDirect(pair.up(), type) && mapped.takes(tile(x, rows))) {
            mapped.runGated(x, rows, linear.down(x, pair), pair.up(), bias, activation, out);
        } else {
            halves.forEach(half -> linear.run(List.of(half)));
        }
    }

    private GemmTile tile(Tensor x, Tensor w) {
        return GemmTile.BROAD.orSmaller(x.rows(), w.rows(), cuda.multiprocessors());
    }

    /** Scratch memory that {@link #run} takes. */
    public static long scratchBytes(Tensor x, Weight w, Tensor bias, Activation activation, Tensor out,
                                    DType operandType, boolean float8) {
        return LinearCall.gated(x, w, bias, activation, out).stream()
                .mapToLong(half -> CudaLinear.scratchBytes(List.of(half), operandType, float8)).max().orElse(0);
    }

    private void launch(Tensor x, Tensor w, Tensor bias, Activation activation, Tensor out, DType type) {
        if (out.shape().size() == 0) {
            return;
        }
        GemmTile tile = tile(x, w);
        if (mapped.takes(tile)) {
            mapped.runGated(x, w, null, null, bias, activation, out);
            return;
        }
        KernelArgs args = cuda.args();
        GemmArgs.rows(args, x);
        GemmArgs.rows(args, w);
        GemmArgs.side(args, null, null);
        GemmArgs.output(args, bias, Epilogue.activate(activation), out, x.cols(), 0);
        args.int32(1).align(8);
        String product = "linear_" + type.name().toLowerCase(Locale.ROOT);
        cuda.kernel("linear/" + product, product + "_gated_" + tile.label()).launch(
                () -> "gatedLinear of " + x + " by " + w + " to " + out, tile.blocks(x.rows(), w.rows()), 1, 1,
                tile.threads(), tile.sharedBytes(), args);
    }
}
