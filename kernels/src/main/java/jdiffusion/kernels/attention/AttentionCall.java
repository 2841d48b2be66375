package jdiffusion.kernels.attention;

import static jdiffusion.kernels.cpu.MicroKernel.NR;

import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/**
 * The arguments of one attention, checked, and the numbering of the joined tokens: keys and queries are each counted
 * through all streams.
 *
 * @param type of q, k, v and out
 */
record AttentionCall(AttentionShape shape, List<AttentionStream> streams, Tensor relativeBias, DType type, int keys,
                     int queries) {
    /** @param type that q, k, v and out have to have */
    static AttentionCall of(AttentionShape shape, List<AttentionStream> streams, Tensor relativeBias, DType type) {
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
            check(shape, stream, i, type);
            keys = Math.addExact(keys, stream.keys());
            queries = Math.addExact(queries, stream.queries());
        }
        if (queries > 0 && keys == 0) {
            throw new IllegalArgumentException("attention: there are no keys for " + queries + " queries");
        }
        if (relativeBias != null) {
            checkParameter("relative bias", 0, relativeBias, shape.heads(), 2 * keys - 1);
        }
        return new AttentionCall(shape, streams, relativeBias, type, keys, queries);
    }

    private static void check(AttentionShape shape, AttentionStream stream, int index, DType type) {
        Tensor first = stream.k() == null ? stream.q() : stream.k();
        int n = first.shape().rank() == 3 ? first.shape().dim(1) : -1;
        int width = Math.multiplyExact(shape.heads(), shape.headDim());
        if (stream.k() != null) {
            check("k", index, stream.k(), type, shape.batch(), n, width);
            check("v", index, stream.v(), type, shape.batch(), n, width);
        }
        if (stream.q() != null) {
            check("q", index, stream.q(), type, shape.batch(), n, width);
            check("out", index, stream.out(), type, shape.batch(), n, width);
        }
        if (stream.qNorm() != null) {
            checkParameter("q norm", index, stream.qNorm(), shape.headDim());
        }
        if (stream.kNorm() != null) {
            checkParameter("k norm", index, stream.kNorm(), shape.headDim());
        }
    }

    private static void check(String name, int stream, Tensor tensor, DType type, int... dims) {
        check(name, stream, tensor, tensor.type() == type, type.toString(), dims);
    }

    private static void checkParameter(String name, int stream, Tensor tensor, int... dims) {
        check(name, stream, tensor, tensor.type().isFloat(), "floats ", dims);
    }

    private static void check(String name, int stream, Tensor tensor, boolean typeFits, String type, int... dims) {
        Shape shape = tensor.shape();
        boolean fits = typeFits && shape.rank() == dims.length;
        for (int i = 0; fits && i < dims.length; i++) {
            fits = shape.dim(i) == dims[i];
        }
        if (!fits) {
            throw new IllegalArgumentException("attention: " + name + " of stream " + stream + " is " + tensor
                    + ", needs " + type + Arrays.toString(dims).replace("-1", "n"));
        }
    }

    /** Independent attentions: sequences times heads, the heads of a sequence side by side. */
    int pairs() {
        return shape.batch() * shape.heads();
    }

    /** Tokens of one stream that follow each other. */
    interface Run {
        /**
         * @param token of the stream, the first
         * @param at    its distance from the first key or query asked for
         */
        void of(AttentionStream stream, int token, int at, int count);
    }

    /** The runs of keys {@code from} to {@code from + count} that there are, in their order. */
    void forKeys(int from, int count, Run run) {
        forTokens(from, count, run, false);
    }

    /** The same of queries. */
    void forQueries(int from, int count, Run run) {
        forTokens(from, count, run, true);
    }

    private void forTokens(int from, int count, Run run, boolean asking) {
        int start = 0;
        for (AttentionStream stream : streams) {
            int length = asking ? stream.queries() : stream.keys();
            int first = Math.max(from, start);
            int tokens = Math.min(from + count, start + length) - first;
            if (tokens > 0) {
                run.of(stream, first - start, first - from, tokens);
            }
            start += length;
        }
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

    /**
     * A head's relative bias backwards, so that for one key it runs on with the queries.
     *
     * @param to as many numbers as the bias has columns, or more
     */
    float[] bias(int pair, float[] to) {
        int n = relativeBias.cols();
        Widen.run(relativeBias.data(), relativeBias.type(), relativeBias.rowOffset(pair % shape.heads()), to, 0, n);
        for (int i = 0; i < n / 2; i++) {
            float swapped = to[i];
            to[i] = to[n - 1 - i];
            to[n - 1 - i] = swapped;
        }
        return to;
    }

    /**
     * What is added to the scaled products of {@code n} keys with {@code count} queries: bias and masks.
     *
     * @param bias   as {@link #bias} gives it, or null
     * @param scores [n][NR], written
     */
    void startScores(float[] bias, int key, int n, int query, int count, float[] scores) {
        int biased = bias == null ? 0 : Math.min(n, keys - key);
        for (int j = 0; j < biased; j++) {
            System.arraycopy(bias, query - (key + j) + keys - 1, scores, j * NR, count);
            if (count < NR) {
                Arrays.fill(scores, j * NR + count, (j + 1) * NR, 0);
            }
        }
        Arrays.fill(scores, biased * NR, n * NR, 0);
        if (shape.causal()) {
            for (int j = Math.max(0, query + 1 - key); j < n; j++) {
                int earlier = Math.min(key + j - query, NR);
                Arrays.fill(scores, j * NR, j * NR + earlier, Float.NEGATIVE_INFINITY);
            }
        }
        if (key + n > keys) {
            Arrays.fill(scores, (keys - key) * NR, n * NR, Float.NEGATIVE_INFINITY);
        }
    }

    /** For messages: sizes of the heads, and tokens of each stream. */
    @Override
    public String toString() {
        return "attention of " + shape.batch() + "x" + shape.heads() + " heads of " + shape.headDim() + " channels, "
                + streams.stream().map(AttentionCall::tokens).toList() + " tokens";
    }

    private static String tokens(AttentionStream stream) {
        return stream.q() == null ? "silent " + stream.keys()
                : (stream.k() == null ? "only asking " : "") + stream.queries();
    }
}
