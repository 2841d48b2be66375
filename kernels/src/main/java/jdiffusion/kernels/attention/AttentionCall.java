package jdiffusion.kernels.attention;

import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.cpu.MicroKernel;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/**
 * The arguments of one attention, checked, and the numbering of the joined tokens: keys and queries are each counted
 * through all streams, and a stream without q counts no queries.
 */
record AttentionCall(AttentionShape shape, List<AttentionStream> streams, Tensor relativeBias, int keys,
                     int queries) {
    static AttentionCall of(AttentionShape shape, List<AttentionStream> streams, Tensor relativeBias) {
        if (streams.isEmpty()) {
            throw new IllegalArgumentException("attention: no stream");
        }
        if (streams.size() > 1 && (shape.causal() || relativeBias != null)) {
            throw new IllegalArgumentException("attention: " + (shape.causal() ? "a causal mask" : "a relative bias")
                    + " is for a single stream, not for " + streams.size());
        }
        int keys = 0;
        int queries = 0;
        for (int i = 0; i < streams.size(); i++) {
            AttentionStream stream = streams.get(i);
            check(shape, stream, i);
            keys = Math.addExact(keys, stream.length());
            queries += stream.q() == null ? 0 : stream.length();
        }
        if (relativeBias != null) {
            check("relative bias", 0, relativeBias, relativeBias.type().isFloat(), shape.heads(), 2 * keys - 1);
        }
        // Packing rounds both up, and one head's keys have to fit an array.
        if ((keys + (long) MicroKernel.MR) * (shape.headDim() + (long) MicroKernel.MR) > Integer.MAX_VALUE - 8) {
            throw new IllegalArgumentException("attention: a head of " + keys + " keys of " + shape.headDim()
                    + " channels is more than the " + Integer.MAX_VALUE + " numbers that an array holds");
        }
        return new AttentionCall(shape, streams, relativeBias, keys, queries);
    }

    private static void check(AttentionShape shape, AttentionStream stream, int index) {
        Tensor k = stream.k();
        int n = k.shape().rank() == 3 ? k.shape().dim(1) : -1;
        int width = Math.multiplyExact(shape.heads(), shape.headDim());
        check("k", index, k, k.type() == DType.F32, shape.batch(), n, width);
        check("v", index, stream.v(), stream.v().type() == DType.F32, shape.batch(), n, width);
        if (stream.q() != null) {
            check("q", index, stream.q(), stream.q().type() == DType.F32, shape.batch(), n, width);
            check("out", index, stream.out(), stream.out().type() == DType.F32, shape.batch(), n, width);
        }
        if (stream.qNorm() != null) {
            check("q norm", index, stream.qNorm(), stream.qNorm().type().isFloat(), shape.headDim());
        }
        if (stream.kNorm() != null) {
            check("k norm", index, stream.kNorm(), stream.kNorm().type().isFloat(), shape.headDim());
        }
    }

    private static void check(String name, int stream, Tensor tensor, boolean typeFits, int... dims) {
        Shape shape = tensor.shape();
        boolean fits = typeFits && shape.rank() == dims.length;
        for (int i = 0; fits && i < dims.length; i++) {
            fits = shape.dim(i) == dims[i];
        }
        if (!fits) {
            String needed = Arrays.toString(dims).replace("-1", "n");
            throw new IllegalArgumentException("attention: " + name + " of stream " + stream + " is " + tensor
                    + ", needs " + (dims.length == 3 ? "F32" : "floats ") + needed);
        }
    }

    /** Independent attentions: sequences times heads, the heads of a sequence side by side. */
    int pairs() {
        return shape.batch() * shape.heads();
    }

    /** One head's channels of a token of a [batch, n, heads * headDim] tensor, widened. */
    void read(Tensor from, int pair, int token, float[] to, int at) {
        Widen.run(from.data(), from.type(), offset(from, pair, token), to, at, shape.headDim());
    }

    /** Byte offset of one head's channels of a token of a [batch, n, heads * headDim] tensor. */
    long offset(Tensor tensor, int pair, int token) {
        int row = pair / shape.heads() * tensor.shape().dim(1) + token;
        long column = (long) (pair % shape.heads()) * shape.headDim();
        return tensor.rowOffset(row) + column * tensor.type().bytes();
    }
}
