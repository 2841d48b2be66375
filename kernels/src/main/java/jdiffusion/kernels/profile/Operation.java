package jdiffusion.kernels.profile;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.attention.AttentionLook;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.kernels.conv2d.Conv2dShape;
import jdiffusion.kernels.conv2d.UpsampledConv2d;
import jdiffusion.kernels.linear.LinearCall;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/**
 * What an operation is, however often it is done.
 *
 * @param kind  a method of {@link jdiffusion.kernels.Backend}
 * @param shape rows x inputs x outputs of linear layers, sizes of tensors for others
 * @param flops of products, a multiplication with its addition being two; adapters beside a matrix are not counted
 * @param bytes that it must read or write at least: weights as they are stored, activations as they lie in memory,
 *              outputs that are added to twice; tensors that several parts share once
 */
public record Operation(String kind, String shape, long flops, long bytes) {
    /** The kinds that are products: the work that a model is made of. */
    private static final Set<String> PRODUCTS = Set.of("linear", "gatedLinear", "attention", "conv2d", "normedConv2d",
            "upsampledConv2d");

    /** Whether it is a matrix product, an attention or a convolution. */
    public boolean isProduct() {
        return PRODUCTS.contains(kind);
    }

    /** Linear layers that run as one. */
    static Operation linear(List<LinearCall> calls) {
        Map<String, Integer> shapes = new LinkedHashMap<>();
        Set<Tensor> inputs = new HashSet<>();
        long flops = 0;
        long bytes = 0;
        for (LinearCall call : calls) {
            shapes.merge(call.m() + "x" + call.k() + "x" + call.n(), 1, Integer::sum);
            flops += call.flops();
            bytes += (inputs.add(call.x()) ? call.x().byteSize() : 0) + call.w().byteSize()
                    + written(call.epilogue(), call.out()) + size(call.bias());
        }
        String shape = shapes.entrySet().stream().map(e -> (e.getValue() == 1 ? "" : e.getValue() + " of ")
                + e.getKey()).collect(Collectors.joining(", "));
        return new Operation("linear", shape, flops, bytes);
    }

    static Operation gatedLinear(Tensor x, Weight w, Tensor bias, Tensor out) {
        return new Operation("gatedLinear", x.rows() + "x" + w.cols() + "x" + w.rows(),
                2L * x.rows() * w.rows() * w.cols(), x.byteSize() + w.byteSize() + size(bias) + out.byteSize());
    }

    /** Keys that do not exist are counted too: how many those are may be known on a device only. */
    static Operation attention(AttentionShape s, List<AttentionStream> streams, Tensor relativeBias) {
        long keys = 0;
        long queries = 0;
        List<Tensor> touched = new ArrayList<>();
        touched.add(relativeBias);
        for (AttentionStream stream : streams) {
            keys += stream.keys();
            queries += stream.queries();
            touched.addAll(Arrays.asList(stream.q(), stream.k(), stream.v(), stream.qNorm(), stream.kNorm(),
                    stream.out(), stream.rotary(), stream.keyCounts()));
        }
        return new Operation("attention", "[" + s.batch() + ", " + s.heads() + ", " + queries
                + (queries == keys ? "" : " on " + keys) + ", " + s.headDim() + "]" + (s.causal() ? " causal" : ""),
                s.flops(streams), sizes(touched));
    }

    /** @param again multiplications and additions of scores that were computed a second time */
    static Operation lookAtAttention(AttentionShape s, List<AttentionStream> streams, AttentionLook look, long again) {
        Operation plain = attention(s, streams, null);
        return new Operation("lookAtAttention", plain.shape, plain.flops + again,
                plain.bytes + sizes(look.tensors()));
    }

    static Operation conv2d(Conv2dShape s, Tensor x, Tensor weight, Tensor bias, Epilogue epilogue, Tensor out) {
        return new Operation("conv2d", "[" + s.batch() + ", " + s.height() + ", " + s.width() + ", " + s.cin() + "] "
                + s.kernel() + "x" + s.kernel() + (s.stride() == 1 ? "" : " by " + s.stride()) + " to " + s.cout(),
                s.flops(), x.byteSize() + weight.byteSize() + size(bias) + written(epilogue, out));
    }

    /** The norm's own reading and arithmetic are not counted: they hide behind the products. */
    static Operation normedConv2d(Conv2dShape s, Tensor x, Tensor weight, Tensor bias, Epilogue epilogue, Tensor out) {
        Operation plain = conv2d(s, x, weight, bias, epilogue, out);
        return new Operation("normedConv2d", plain.shape, plain.flops, plain.bytes);
    }

    static Operation upsampledConv2d(Tensor x, Tensor weight, Tensor bias, Tensor out) {
        Conv2dShape s = UpsampledConv2d.shape(x, weight, bias, out);
        Operation plain = conv2d(s, x, weight, bias, Epilogue.STORE, out);
        return new Operation("upsampledConv2d", plain.shape, UpsampledConv2d.flops(s, x, out), plain.bytes);
    }

    /** One without products, named by the shape of {@code out}. */
    static Operation other(String kind, Tensor out, Tensor... touched) {
        return new Operation(kind, out.shape().toString(), 0, sizes(Arrays.asList(touched)));
    }

    /** The same where that is not the sum of the tensors' sizes. */
    static Operation other(String kind, Tensor out, long bytes) {
        return new Operation(kind, out.shape().toString(), 0, bytes);
    }

    private static long written(Epilogue epilogue, Tensor out) {
        return size(epilogue.gate()) + (epilogue.mode() == Epilogue.Mode.STORE ? 1 : 2) * out.byteSize();
    }

    private static long sizes(List<Tensor> tensors) {
        return tensors.stream().mapToLong(Operation::size).sum();
    }

    private static long size(Tensor tensor) {
        return tensor == null ? 0 : tensor.byteSize();
    }
}
