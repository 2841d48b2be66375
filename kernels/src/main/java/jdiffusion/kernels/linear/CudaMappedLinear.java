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
 * Linear layers on a device of compute capability 9.0, by the kernels of {@code linear_sm90.cuh}: x, dense weights and
 * adapters beside them, which a block takes through maps of them. All are of the type of the product; adapters beside
 * float8 are BF16. Launches in 16 bits whose outs are too small to fill a card with these tiles stay with
 * {@link CudaLinear}.
 */
final class CudaMappedLinear {
    /** {@code MappedProblems::MOST}. */
    private static final int MOST_PROBLEMS = 6;
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

    /**
     * What the kernels multiply.
     *
     * @param x      [m, k]: the call's x, or what the tensor cores take in its place
     * @param scales F32, [m], of the rows of x; null for ones
     * @param scale  of the product
     * @param t      [m, rank], of a product of t and up that is added, with x's type or beside float8 BF16; or null
     * @param up     [n, rank] likewise
     */
    record Factors(LinearCall call, Tensor x, Tensor scales, float scale, Tensor t, Tensor up) {
        static Factors of(LinearCall call, Tensor t, Tensor up) {
            return new Factors(call, call.x(), null, 1, t, up);
        }

        static Factors ofFloat8(LinearCall call, CudaFloat8.Rows x, float scale, Tensor t, Tensor up) {
            return new Factors(call, x.values(), x.scales(), scale, t, up);
        }
    }

    /** @param factors of dense weights, operands of one type */
    void run(List<Factors> factors) {
        for (int i = 0; i < factors.size(); i += MOST_PROBLEMS) {
            List<Factors> together = factors.subList(i, Math.min(i + MOST_PROBLEMS, factors.size()));
            GemmTile tile = GemmTile.ofWarpgroups(each -> blocks(together, each), multiprocessors);
            launch(together, orPair(tile, together));
        }
    }

    private static int blocks(List<Factors> factors, GemmTile tile) {
        return factors.stream().map(Factors::call).mapToInt(call -> tile.blocks(call.m(), call.n()))
                .reduce(0, Math::addExact);
    }

    private GemmTile orPair(GemmTile tile, List<Factors> factors) {
        int mostRows = factors.stream().mapToInt(each -> each.call.m()).max().orElse(0);
        return tile.orPair(each -> blocks(factors, each), mostRows, multiprocessors);
    }

    /** One launch, with a tile of warpgroups. */
    void launch(List<Factors> factors, GemmTile tile) {
        String product = factors.getFirst().x.type().name().toLowerCase(Locale.ROOT);
        launch(factors, "", product, product, tile);
    }

    /** Layers of float8, {@code linear_fp8_sm90.cu}: in tiles of one size, so that sums do not depend on m. */
    void runFloat8(List<Factors> factors) {
        for (int i = 0; i < factors.size(); i += MOST_PROBLEMS) {
            List<Factors> together = factors.subList(i, Math.min(i + MOST_PROBLEMS, factors.size()));
            launchFloat8(together, orPair(GemmTile.WARPGROUP_LARGE, together));
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
            maps(args, one.x, one.t, tile.rows() / tile.blocksTogether());
            maps(args, tensor(call.w()), one.up, tile.cols() / tile.blocksTogether());
            GemmArgs.output(args, call.bias(), call.epilogue(), call.out(), one.x.cols(), tiles, one.scale);
            args.pointer(one.scales).int32(one.t == null ? 0 : one.t.cols()).align(TensorMaps.ALIGNMENT);
            tiles = Math.addExact(tiles, tile.blocks(call.m(), call.n()));
        }
        launch(() -> label + factors.stream().map(Factors::call).toList(), file, product, tile, factors.size(), tiles,
                args);
    }

    /** Of the rows of two products, the second of which may be null. */
    private void maps(KernelArgs args, Tensor rows, Tensor side, int boxRows) {
        args.map(cuda.tensorMaps().rows(rows, boxRows));
        if (side == null) {
            args.skip(TensorMaps.BYTES);
        } else {
            args.map(cuda.tensorMaps().rows(side, boxRows));
        }
    }

    private static Tensor tensor(Weight w) {
        return w instanceof Weight.Scaled scaled ? scaled.tensor() : ((Weight.Dense) w).tensor();
    }

    /**
     * See {@link CudaGatedLinear}; a block's columns are half values and half gates.
     *
     * @param t  [m, rank], of a product of t and up that is added, with x's type; or null
     * @param up [2 n, rank] likewise
     */
    void runGated(Tensor x, Tensor w, Tensor t, Tensor up, Tensor bias, Activation activation, Tensor out) {
        launchGated(x, w, t, up, bias, activation, out, GemmTile.WARPGROUP_BROAD.orPair(
                each -> each.blocks(x.rows(), w.rows()), x.rows(), multiprocessors));
    }

    /** The same with a broad tile of warpgroups. */
    void launchGated(Tensor x, Tensor w, Tensor t, Tensor up, Tensor bias, Activation activation, Tensor out,
                     GemmTile tile) {
        KernelArgs args = cuda.args();
        maps(args, x, t, tile.rows() / tile.blocksTogether());
        maps(args, w, up, tile.cols() / 2);
        GemmArgs.output(args, bias, Epilogue.activate(activation), out, x.cols(), 0);
        args.pointer(null).int32(t == null ? 0 : t.cols()).align(TensorMaps.ALIGNMENT);
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
