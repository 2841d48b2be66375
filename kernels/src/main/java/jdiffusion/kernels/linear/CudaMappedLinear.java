package jdiffusion.kernels.linear;

import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.kernels.cuda.TensorMaps;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/**
 * Linear layers on a device of compute capability 9.0, by the kernels of {@code linear_sm90.cuh}: x and dense weights
 * of the type of the product, which a block takes through maps of them. Launches in 16 bits whose outs are too small to
 * fill a card with these tiles stay with {@link CudaLinear}.
 */
final class CudaMappedLinear {
    /** {@code MappedProblems::MOST}. */
    private static final int MOST_PROBLEMS = 10;
    private static final String FILE = "linear/linear_%s_sm90";

    private final Cuda cuda;
    private final int multiprocessors;

    CudaMappedLinear(Cuda cuda) {
        this(cuda, cuda.multiprocessors());
    }

    /** @param multiprocessors of the card that work is divided for */
    CudaMappedLinear(Cuda cuda, int multiprocessors) {
        this.cuda = cuda;
        this.multiprocessors = multiprocessors;
    }

    /**
     * Whether products that {@link CudaLinear} would make with a tile are made here.
     *
     * @param tile one for operands that go straight to shared memory
     */
    boolean takes(GemmTile tile) {
        return cuda.takesSm90() && (tile == GemmTile.BROAD || tile == GemmTile.LARGE);
    }

    /** @param calls of dense weights, operands of one type */
    void run(List<LinearCall> calls) {
        for (int i = 0; i < calls.size(); i += MOST_PROBLEMS) {
            List<LinearCall> together = calls.subList(i, Math.min(i + MOST_PROBLEMS, calls.size()));
            GemmTile tile = GemmTile.ofWarpgroups(each -> blocks(together, each), multiprocessors);
            launch(together, orPair(tile, together));
        }
    }

    private static int blocks(List<LinearCall> calls, GemmTile tile) {
        return calls.stream().mapToInt(call -> tile.blocks(call.m(), call.n())).reduce(0, Math::addExact);
    }

    private GemmTile orPair(GemmTile tile, List<LinearCall> calls) {
        int mostRows = calls.stream().mapToInt(LinearCall::m).max().orElse(0);
        return tile.orPair(each -> blocks(calls, each), mostRows, multiprocessors);
    }

    /** One launch, with a tile of warpgroups. */
    void launch(List<LinearCall> calls, GemmTile tile) {
        String product = calls.getFirst().x().type().name().toLowerCase(Locale.ROOT);
        launch(calls.stream().map(call -> new Factors(call, call.x(), null, 1)).toList(), "", product, product, tile);
    }

    /**
     * A layer whose input is in the place of x what the tensor cores take.
     *
     * @param x      [m, k]
     * @param scales F32, [m], of the rows of x; null for ones
     * @param scale  of the product
     */
    record Factors(LinearCall call, Tensor x, Tensor scales, float scale) {
    }

    /** Layers of float8, {@code linear_fp8_sm90.cu}: in tiles of one size, so that sums do not depend on m. */
    void runFloat8(List<Factors> factors) {
        for (int i = 0; i < factors.size(); i += MOST_PROBLEMS) {
            List<Factors> together = factors.subList(i, Math.min(i + MOST_PROBLEMS, factors.size()));
            launchFloat8(together, orPair(GemmTile.WARPGROUP_LARGE, together.stream().map(Factors::call).toList()));
        }
    }

    /** One launch. */
    void launchFloat8(List<Factors> factors, GemmTile tile) {
        launch(factors, "in float8 ", "fp8", "fp8_e4m3", tile);
    }

    /**
     * @param label   begins what a failure says
     * @param file    what its name says of the product
     * @param product in the kernel's name
     */
    private void launch(List<Factors> factors, String label, String file, String product, GemmTile tile) {
        KernelArgs args = cuda.args();
        int tiles = 0;
        for (Factors one : factors) {
            LinearCall call = one.call;
            args.map(cuda.tensorMaps().rows(one.x, tile.rows() / tile.blocksTogether()))
                    .map(cuda.tensorMaps().rows(tensor(call.w()), tile.cols() / tile.blocksTogether()));
            GemmArgs.output(args, call.bias(), call.epilogue(), call.out(), one.x.cols(), tiles, one.scale);
            args.pointer(one.scales).align(TensorMaps.ALIGNMENT);
            tiles = Math.addExact(tiles, tile.blocks(call.m(), call.n()));
        }
        launch(() -> label + factors.stream().map(Factors::call).toList(), file, product, tile, factors.size(), tiles,
                args);
    }

    private static Tensor tensor(Weight w) {
        return w instanceof Weight.Scaled scaled ? scaled.tensor() : ((Weight.Dense) w).tensor();
    }

    /** See {@link CudaGatedLinear}; a block's columns are half values and half gates. */
    void runGated(Tensor x, Tensor w, Tensor bias, Activation activation, Tensor out) {
        launchGated(x, w, bias, activation, out, GemmTile.WARPGROUP_BROAD.orPair(
                each -> each.blocks(x.rows(), w.rows()), x.rows(), multiprocessors));
    }

    /** The same with a broad tile of warpgroups. */
    void launchGated(Tensor x, Tensor w, Tensor bias, Activation activation, Tensor out, GemmTile tile) {
        KernelArgs args = cuda.args();
        args.map(cuda.tensorMaps().rows(x, tile.rows() / tile.blocksTogether()))
                .map(cuda.tensorMaps().rows(w, tile.cols() / 2));
        GemmArgs.output(args, bias, Epilogue.activate(activation), out, x.cols(), 0);
        args.align(TensorMaps.ALIGNMENT);
        String product = x.type().name().toLowerCase(Locale.ROOT);
        launch(() -> "gatedLinear of " + x + " by " + w + " to " + out, product, product + "_gated", tile, 1,
                tile.blocks(x.rows(), w.rows()), args);
    }

    /** The kernel takes as many blocks as run at once, each of which goes through its share of the tiles. */
    private void launch(Supplier<String> what, String file, String product, GemmTile tile, int problems, int tiles,
                        KernelArgs args) {
        args.skip(args.size() / problems * (MOST_PROBLEMS - problems)).int32(problems).int32(tiles)
                .align(TensorMaps.ALIGNMENT);
        int atOnce = Math.max(1, multiprocessors / tile.blocksTogether());
        cuda.kernel(FILE.formatted(file), "linear_" + product + "_" + tile.label()).launch(what,
                tile.blocksTogether() * Math.min(tiles, atOnce), 1, 1, tile.threads(), tile.sharedBytes(), args);
    }
}
