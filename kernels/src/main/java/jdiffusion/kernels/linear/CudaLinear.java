package jdiffusion.kernels.linear;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
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

    public CudaLinear(Cuda cuda) {
        this.cuda = cuda;
        mapped = new CudaMappedLinear(cuda);
        operand = new CudaOperand(cuda);
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
     * @param t     x down^T, [m, rank] of the product's type, or null
     * @param up    [n, rank] likewise
     * @param scale of x w^T
     */
    private record Product(LinearCall call, Tensor t, Tensor up, float scale) {
        CudaFormat format() {
            return CudaLinear.format(call.w());
        }

        /** Of all that is multiplied. */
        float wholeScale() {
            return scale * format().scale(call.w());
        }

        boolean isPlain() {
            return t == null && wholeScale() == 1;
        }
    }

    /** See {@link jdiffusion.kernels.Backend#linear(List)}. */
    public void run(List<LinearCall> calls) {
        List<Part> parts = parts(calls);
        List<Product> lowRank = new ArrayList<>();
        List<Product> products = new ArrayList<>();
        long scratch = scratchBytes(parts, cuda.operandType());
        long at = scratch == 0 ? 0 : cuda.scratch(scratch);
        for (Part part : parts) {
            LinearCall call = part.call;
            Delta.LowRank pair = part.pair;
            if (pair == null) {
                products.add(new Product(call, null, null, 1));
                continue;
            }
            DType type = part.product(cuda.operandType());
            Tensor t = at(at, type, call.m(), pair.down().rows());
            at += part.productBytes(cuda.operandType());
            lowRank.add(new Product(new LinearCall(call.x(), Weight.of(pair.down()), null, Epilogue.STORE, t), null,
                    null, pair.scale()));
            Tensor up = pair.up();
            if (part.upBytes(cuda.operandType()) > 0) {
                up = at(at, type, up.rows(), up.cols());
                at += part.upBytes(cuda.operandType());
                operand.matrix(call::toString, pair.up(), up.data().address(), type);
            }
            products.add(new Product(call, t, up, 1));
        }
        launch(lowRank);
        launch(products);
    }

    private static Tensor at(long address, DType type, int rows, int cols) {
        return Tensor.of(Unreadable.at(address, (long) rows * cols * type.bytes()), type, Shape.of(rows, cols));
    }

    /** Scratch memory that {@link #run} takes: for every adapted matrix [m, rank], and in rare cases a copy of up. */
    public static long scratchBytes(List<LinearCall> calls, DType operandType) {
        return scratchBytes(parts(calls), operandType);
    }

    private static long scratchBytes(Iterable<Part> parts, DType operandType) {
        long bytes = 0;
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
                    split(columns(call, part, from, to), pair == null ? null : (Delta.LowRank) pair.slice(from, to),
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

    private static LinearCall columns(LinearCall call, Weight part, int from, int to) {
        Epilogue whole = call.epilogue();
        Epilogue epilogue = whole.gate() == null ? whole
                : new Epilogue(whole.activation(), whole.mode(), whole.gate().columns(from, to));
        Tensor bias = call.bias() == null ? null : call.bias().columns(from, to);
        return new LinearCall(call.x(), part, bias, epilogue, call.out().columns(from, to));
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
        String type() {
            return "_" + product.name().toLowerCase(Locale.ROOT);
        }

        String file() {
            return format.file() + type();
        }

        /** Whether its operands go straight to shared memory, and the product is as it is multiplied. */
        boolean isDirect() {
            return format == DENSE && variant.isEmpty();
        }

        String name(GemmTile tile) {
            String file = format.file();
            return file.substring(file.indexOf('/') + 1) + type() + variant + "_" + tile.label();
        }
    }

    private void launch(List<Product> products) {
        Map<Kernel, List<Product>> byKernel = new LinkedHashMap<>();
        for (Product product : products) {
            LinearCall call = product.call;
            DType type = GemmArgs.productType(cuda.operandType(), call.x());
            String variant = product.format().variant(call, type, product.isPlain());
            byKernel.computeIfAbsent(new Kernel(product.format(), type, variant), _ -> new ArrayList<>()).add(product);
        }
        byKernel.forEach((kernel, together) -> {
            for (int i = 0; i < together.size(); i += GemmArgs.MOST_PROBLEMS) {
                launch(kernel, together.subList(i, Math.min(i + GemmArgs.MOST_PROBLEMS, together.size())));
            }
        });
    }

    private void launch(Kernel kernel, List<Product> products) {
        GemmTile tile = kernel.format.larger(kernel.variant).orSmaller(
                each -> products.stream().mapToInt(product -> each.blocks(product.call.m(), product.call.n()))
                        .reduce(0, Math::addExact), cuda.multiprocessors());
        if (kernel.isDirect() && mapped.takes(tile)) {
            mapped.run(products.stream().map(Product::call).toList());
            return;
        }
        KernelArgs args = cuda.args();
        int blocks = 0;
        for (Product product : products) {
            LinearCall call = product.call;
            GemmArgs.rows(args, call.x());
            kernel.format.weight(args, call.w());
            GemmArgs.side(args, product.t, product.up);
            GemmArgs.output(args, call.bias(), call.epilogue(), call.out(), call.k(), blocks,
                    product.wholeScale());
            blocks = Math.addExact(blocks, tile.blocks(call.m(), call.n()));
        }
        GemmArgs.rest(args, products.size());
        cuda.kernel(kernel.file(), kernel.name(tile)).launch(
                () -> kernel.format.label() + products.stream().map(Product::call).toList(), blocks, 1, 1,
                tile.threads(), tile.sharedBytes(), args);
    }
}
