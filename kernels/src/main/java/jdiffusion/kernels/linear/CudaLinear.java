package jdiffusion.kernels.linear;

import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.FourBitWeight;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Stretched;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Unreadable;
import jdiffusion.tensor.Weight;

/**
 * Linear layers on a CUDA device: products on tensor cores, in bfloat16 or float16. Layers that are run together
 * and read their operands the same way are one launch.
 *
 * <p>An adapter beside a matrix, as {@link AdapterForm} leaves it, is a product of its own, t = x down^T, into scratch
 * memory, and then a few steps more of the layer's product: x w^T + t up^T.
 */
public final class CudaLinear {
    private static final long ALIGNMENT = 256;
    private static final CudaFormat DENSE = new CudaDense();
    private static final CudaFormat FOUR_BIT = new CudaNf4();
    private static final CudaFormat BLOCKS = new CudaBlocks();

    private final Cuda cuda;
    private final CudaOperand operand;
    private final CudaMappedLinear mapped;
    /** Null where weights of float8 are widened. */
    private final CudaFloat8 float8;

    public CudaLinear(Cuda cuda) {
        this(cuda, false);
    }

    /** @param float8 whether weights that are stored as float8 are multiplied as such */
    public CudaLinear(Cuda cuda, boolean float8) {
        this.cuda = cuda;
        mapped = new CudaMappedLinear(cuda);
        operand = new CudaOperand(cuda);
        this.float8 = float8 ? new CudaFloat8(cuda) : null;
    }

    /** A layer, or a part of a joined weight with its columns of out; and the pair that adapts its matrix, or null. */
    private record Part(LinearCall call, Delta.LowRank pair) {
        DType product(DType operandType) {
            return GemmArgs.productType(operandType, call.x());
        }

        long productBytes(DType operandType) {
            return aligned((long) call.m() * pair.down().rows() * product(operandType).bytes());
        }

        /** Of a copy of up in the type of the product, if that is another one. */
        long upBytes(DType operandType) {
            DType product = product(operandType);
            return pair.up().type() == product ? 0 : aligned(pair.up().shape().size() * product.bytes());
        }

        private static long aligned(long bytes) {
            return Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT;
        }
    }

    /**
     * What a kernel computes.
     *
     * @param format how the weights are read
     * @param x      what is multiplied in the place of the call's x, in float8; null for that itself
     * @param t      x down^T, [m, rank] of the product's type, or null
     * @param up     [n, rank] likewise
     * @param scale  of x w^T
     */
    private record Product(LinearCall call, CudaFormat format, CudaFloat8.Rows x, Tensor t, Tensor up, float scale) {
        static Product of(LinearCall call, Tensor t, Tensor up, float scale) {
            return new Product(call, CudaLinear.format(call.w()), null, t, up, scale);
        }

        /** t = scale x down^T, [m, rank]. */
        static Product ofDown(Tensor x, Delta.LowRank pair, Tensor t) {
            return of(new LinearCall(x, Weight.of(pair.down()), null, Epilogue.STORE, t), null, null, pair.scale());
        }

        /** Of all that is multiplied. */
        float wholeScale() {
            return scale * format.scale(call.w());
        }

        boolean isPlain() {
            return t == null && (x != null || wholeScale() == 1);
        }

        /** Whether all factors go straight to shared memory, and need no scale. */
        boolean isDirect(DType type) {
            return format == DENSE && wholeScale() == 1 && format.variant(call, type, true).isEmpty();
        }

        void input(KernelArgs args) {
            if (x == null) {
                GemmArgs.rows(args, call.x());
            } else {
                CudaFloat8.input(args, x);
            }
        }
    }

    /** See {@link jdiffusion.kernels.Backend#linear(List)}. */
    public void run(List<LinearCall> calls) {
        List<Part> parts = parts(calls);
        List<Product> lowRank = new ArrayList<>();
        List<Product> products = new ArrayList<>();
        long scratch = bytes(parts, cuda.operandType(), float8 != null);
        long at = scratch == 0 ? 0 : cuda.scratch(scratch);
        Map<Tensor, CudaFloat8.Rows> rounded = new IdentityHashMap<>();
        if (float8 != null) {
            for (Tensor x : float8Inputs(parts)) {
                rounded.put(x, float8.quantise(x, at));
                at += CudaFloat8.scratchBytes(x);
            }
        }
        for (Part part : parts) {
            LinearCall call = part.call;
            Delta.LowRank pair = part.pair;
            if (pair == null) {
                products.add(product(call, null, null, rounded));
                continue;
            }
            DType type = part.product(cuda.operandType());
            Tensor t = at(at, type, call.m(), pair.down().rows());
            at += part.productBytes(cuda.operandType());
            lowRank.add(Product.ofDown(call.x(), pair, t));
            Tensor up = pair.up();
            if (part.upBytes(cuda.operandType()) > 0) {
                up = at(at, type, up.rows(), up.cols());
                at += part.upBytes(cuda.operandType());
                operand.matrix(call::toString, pair.up(), up.data().address(), type);
            }
            products.add(product(call, t, up, rounded));
        }
        launch(lowRank);
        launch(products);
    }

    /**
     * What a pair makes of x before its up: scale x down^T, [m, rank] of the product's type, in scratch memory that is
     * good until the next call. It takes no more than {@link #scratchBytes} says of a layer with the pair.
     */
    Tensor down(Tensor x, Delta.LowRank pair) {
        DType type = GemmArgs.productType(cuda.operandType(), x);
        int rank = pair.down().rows();
        Tensor t = at(cuda.scratch(Part.aligned((long) x.rows() * rank * type.bytes())), type, x.rows(), rank);
        launch(List.of(Product.ofDown(x, pair, t)));
        return t;
    }

    private Product product(LinearCall call, Tensor t, Tensor up, Map<Tensor, CudaFloat8.Rows> rounded) {
        return float8 != null && call.w().isFloat8()
                ? new Product(call, float8, rounded.get(call.x()), t, up, 1) : Product.of(call, t, up, 1);
    }

    /** The inputs that are rounded to float8, each once. */
    private static Set<Tensor> float8Inputs(List<Part> parts) {
        Set<Tensor> inputs = Collections.newSetFromMap(new IdentityHashMap<>());
        for (Part part : parts) {
            if (part.call.w().isFloat8()) {
                inputs.add(part.call.x());
            }
        }
        return inputs;
    }

    private static Tensor at(long address, DType type, int rows, int cols) {
        return Tensor.of(Unreadable.at(address, (long) rows * cols * type.bytes()), type, Shape.of(rows, cols));
    }

    /**
     * Scratch memory that {@link #run} takes: for every adapted matrix [m, rank], and in rare cases a copy of up; for
     * every x of weights that are multiplied as float8, its rows in it.
     */
    public static long scratchBytes(List<LinearCall> calls, DType operandType, boolean float8) {
        return bytes(parts(calls), operandType, float8);
    }

    private static long bytes(List<Part> parts, DType operandType, boolean float8) {
        long bytes = float8 ? float8Inputs(parts).stream().mapToLong(CudaFloat8::scratchBytes).sum() : 0;
        for (Part part : parts) {
            bytes += part.pair == null ? 0 : part.productBytes(operandType) + part.upBytes(operandType);
        }
        return bytes;
    }

    /** Adds pairs to a matrix on the device. */
    public void merge(AdapterForm.Merge pairs, Tensor matrix) {
        run(List.of(new LinearCall(pairs.left(), Weight.of(pairs.right()), null, Epilogue.ADD, matrix)));
    }

    private static List<Part> parts(List<LinearCall> calls) {
        List<Part> parts = new ArrayList<>();
        calls.forEach(call -> split(call, null, parts));
        return parts;
    }

    private static void split(LinearCall call, Delta.LowRank pair, List<Part> parts) {
        if (call.m() == 0 || call.n() == 0) {
            return;
        }
        switch (call.w()) {
            case Weight.Rows joined -> {
                int from = 0;
                for (Weight part : joined.parts()) {
                    int to = from + part.rows();
                    split(call.columns(part, from, to), pair == null ? null : (Delta.LowRank) pair.slice(from, to),
                            parts);
                    from = to;
                }
            }
            case Weight.Adapted(Weight base, List<Delta> deltas) -> {
                if (pair != null || deltas.size() != 1 || !(deltas.getFirst() instanceof Delta.LowRank own)
                        || own.down().rows() % AdapterForm.RANK_UNIT != 0) {
                    throw new IllegalArgumentException("an adapter that was not placed: " + call);
                }
                split(new LinearCall(call.x(), base, call.bias(), call.epilogue(), call.out()), own, parts);
            }
            case Stretched _ -> throw new IllegalArgumentException("an adapter that was not placed: " + call);
            case Weight.Dense _, Weight.Scaled _, FourBitWeight _, Weight.Blocks _ -> parts.add(new Part(call, pair));
        }
    }

    private static CudaFormat format(Weight w) {
        return switch (w) {
            case Weight.Dense _, Weight.Scaled _ -> DENSE;
            case FourBitWeight _ -> FOUR_BIT;
            case Weight.Blocks _ -> BLOCKS;
            case Weight.Rows _, Weight.Adapted _, Stretched _ -> throw new AssertionError("was split");
        };
    }

    /** A kernel but for its tile. */
    private record Kernel(CudaFormat format, DType product, String variant) {
        String file() {
            return format.file(product, variant);
        }

        String name(GemmTile tile) {
            return format.kernel(product) + variant + "_" + tile.label();
        }
    }

    /** Launches what the kernels of compute capability 9.0 take, those of a type together; returns the others. */
    private List<Product> launchMapped(List<Product> products) {
        if (!cuda.takesSm90()) {
            return products;
        }
        Map<DType, List<Product>> direct = new LinkedHashMap<>();
        List<Product> others = new ArrayList<>();
        for (Product product : products) {
            DType type = GemmArgs.productType(cuda.operandType(), product.call.x());
            (product.isDirect(type) ? direct.computeIfAbsent(type, _ -> new ArrayList<>()) : others).add(product);
        }
        for (List<Product> together : direct.values()) {
            if (mapped.takes(tile(GemmTile.BROAD, together))) {
                mapped.run(together.stream().map(p -> CudaMappedLinear.Factors.of(p.call, p.t, p.up)).toList());
            } else {
                others.addAll(together);
            }
        }
        return others;
    }

    private GemmTile tile(GemmTile largest, List<Product> products) {
        return largest.orSmaller(each -> products.stream()
                .mapToInt(product -> each.blocks(product.call.m(), product.call.n())).reduce(0, Math::addExact),
                cuda.multiprocessors());
    }

    private void launch(List<Product> products) {
        Map<Kernel, List<Product>> byKernel = new LinkedHashMap<>();
        for (Product product : launchMapped(products)) {
            LinearCall call = product.call;
            DType type = GemmArgs.productType(cuda.operandType(), call.x());
            String variant = product.format.variant(call, type, product.isPlain());
            byKernel.computeIfAbsent(new Kernel(product.format, type, variant), _ -> new ArrayList<>()).add(product);
        }
        byKernel.forEach((kernel, together) -> {
            for (int i = 0; i < together.size(); i += GemmArgs.MOST_PROBLEMS) {
                launch(kernel, together.subList(i, Math.min(i + GemmArgs.MOST_PROBLEMS, together.size())));
            }
        });
    }

    private void launch(Kernel kernel, List<Product> products) {
        GemmTile tile = tile(kernel.format.larger(kernel.variant), products);
        if (kernel.format == float8 && float8.isMapped(kernel.variant)) {
            mapped.runFloat8(products.stream()
                    .map(p -> CudaMappedLinear.Factors.ofFloat8(p.call, p.x, p.wholeScale(), p.t, p.up))
                    .toList());
            return;
        }
        KernelArgs args = cuda.args();
        int blocks = 0;
        for (Product product : products) {
            LinearCall call = product.call;
            product.input(args);
            kernel.format.weight(args, call.w());
            GemmArgs.side(args, product.t, product.up);
            GemmArgs.output(args, call.bias(), call.epilogue(), call.out(), kernel.format.depth(call), blocks,
                    product.wholeScale());
            blocks = Math.addExact(blocks, tile.blocks(call.m(), call.n()));
        }
        GemmArgs.rest(args, products.size());
        cuda.kernel(kernel.file(), kernel.name(tile)).launch(
                () -> kernel.format.label() + products.stream().map(Product::call).toList(), blocks, 1, 1,
                tile.threads(), tile.sharedBytes(), args);
    }
}
