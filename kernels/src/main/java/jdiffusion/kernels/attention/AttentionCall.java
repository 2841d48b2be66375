package jdiffusion.kernels.attention;

import static jdiffusion.kernels.cpu.MicroKernel.NR;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.attention.AttentionShape.Norm;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/**
 * The arguments of one attention, checked, and the numbering of the joined tokens: keys and queries are each counted
 * through all streams.
 *
 * <p>On the CPU keys that do not exist are left out of that numbering, by each sequence for itself, so nothing is
 * computed with them.
 *
 * @param type   of q, k, v and out
 * @param keys   of a sequence, with those that do not exist
 * @param counts  [batch][streams] keys that exist; null where all do, or where {@link #onCpu} has not read them
 * @param logSums [batch, heads, queries], see {@link AttentionLook}; null where nobody looks
 * @param kept    what is kept of the scores on the way, on the CPU; null for nothing
 */
record AttentionCall(AttentionShape shape, List<AttentionStream> streams, Tensor relativeBias, DType type, int keys,
                     int queries, int[][] counts, Tensor logSums, KeptColumns kept) {
    private static final ValueLayout.OfInt COUNT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

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
        return new AttentionCall(shape, streams, relativeBias, type, keys, queries, null, null, null);
    }

    /** {@link #of}, with the counts of keys read from the memory in which all tensors lie. */
    static AttentionCall onCpu(AttentionShape shape, List<AttentionStream> streams, Tensor relativeBias, DType type) {
        AttentionCall call = of(shape, streams, relativeBias, type);
        if (streams.stream().allMatch(stream -> stream.keyCounts() == null)) {
            return call;
        }
        int[][] counts = new int[shape.batch()][streams.size()];
        for (int b = 0; b < counts.length; b++) {
            for (int i = 0; i < counts[b].length; i++) {
                counts[b][i] = count(streams.get(i), i, b);
            }
        }
        return new AttentionCall(shape, streams, relativeBias, type, call.keys, call.queries, counts, null,
                null);
    }

    /**
     * The same call, of which something is kept.
     *
     * @param again whether q is read again for it
     */
    AttentionCall looking(AttentionLook look, boolean again) {
        look.check(this, again);
        return new AttentionCall(shape, streams, relativeBias, type, keys, queries, counts, look.logSums(), null);
    }

    /** The same call, of which the look's columns are kept on the way, on the CPU. */
    AttentionCall keeping(AttentionLook look) {
        return new AttentionCall(shape, streams, relativeBias, type, keys, queries, counts, logSums,
                new KeptColumns(this, look));
    }

    /** Keeps the logarithm of the sum of a query's exp(score), on the CPU. */
    void keepLogSum(int pair, int query, float largest, float sum) {
        float log = sum == 0 ? Float.NEGATIVE_INFINITY : (float) (largest + Math.log(sum));
        logSums.data().set(FLOAT, Float.BYTES * ((long) pair * queries + query), log);
    }

    private static int count(AttentionStream stream, int index, int sequence) {
        Tensor counts = stream.keyCounts();
        if (counts == null) {
            return stream.keys();
        }
        int count = counts.data().get(COUNT, (long) Integer.BYTES * sequence);
        if (count < 0 || count > stream.keys()) {
            throw new IllegalArgumentException("attention: key count " + sequence + " of stream " + index + " is "
                    + count + ", needs 0 to " + stream.keys() + ", the keys that there are");
        }
        return count;
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
        if (shape.norm() == Norm.LAYER && (stream.qNorm() != null || stream.kNorm() != null)) {
            throw new IllegalArgumentException("attention: stream " + index + " has weights of an RMS norm, "
                    + "but its heads get a LayerNorm, which has none");
        }
        if (stream.rotary() != null) {
            checkRotary(shape, stream, index, n);
        }
        if (stream.keyCounts() != null) {
            if (stream.k() == null) {
                throw new IllegalArgumentException("attention: stream " + index + " has key counts, but no keys");
            }
            check("key counts", index, stream.keyCounts(), DType.I32, shape.batch());
        }
    }

    private static void checkRotary(AttentionShape shape, AttentionStream stream, int index, int n) {
        if (shape.headDim() % 2 != 0) {
            throw new IllegalArgumentException("attention: stream " + index + " has a rotary table, which turns pairs "
                    + "of channels, but its heads have " + shape.headDim() + ", an odd number");
        }
        check("rotary table", index, stream.rotary(), DType.F32, n, shape.headDim());
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

    /** The keys of a pair's sequence that exist. */
    int keys(int pair) {
        int sum = 0;
        for (int i = 0; i < streams.size(); i++) {
            sum += keys(pair, i);
        }
        return sum;
    }

    private int keys(int pair, int stream) {
        return counts == null ? streams.get(stream).keys() : counts[pair / shape.heads()][stream];
    }

    /** The number through all streams of a stream's first key, counted with those that do not exist. */
    int firstKey(AttentionStream of) {
        int first = 0;
        for (AttentionStream stream : streams) {
            if (stream == of) {
                break;
            }
            first += stream.keys();
        }
        return first;
    }

    /** The number of a stream's first key among those of a pair's sequence that exist. */
    int firstPresent(int pair, AttentionStream of) {
        int first = 0;
        for (int i = 0; streams.get(i) != of; i++) {
            first += keys(pair, i);
        }
        return first;
    }

    /** One key by its number through all streams, as {@link #firstKey} counts; nothing where it does not exist. */
    void forKey(int pair, int key, Run run) {
        int start = 0;
        for (int i = 0; i < streams.size(); i++) {
            int token = key - start;
            if (token >= 0 && token < keys(pair, i)) {
                run.of(streams.get(i), token, 0, 1);
            }
            start += streams.get(i).keys();
        }
    }

    /** The runs of a pair's keys {@code from} to {@code from + count} that exist, in their order. */
    void forKeys(int pair, int from, int count, Run run) {
        int start = 0;
        for (int i = 0; i < streams.size(); i++) {
            int length = keys(pair, i);
            int first = Math.max(from, start);
            int tokens = Math.min(from + count, start + length) - first;
            if (tokens > 0) {
                run.of(streams.get(i), first - start, first - from, tokens);
            }
            start += length;
        }
    }

    /** Whether keys {@code from} to {@code from + count} are all there, in one run. */
    boolean isOneRun(int pair, int from, int count) {
        int start = 0;
        for (int i = 0; i < streams.size() && start <= from; i++) {
            int length = keys(pair, i);
            if (from + count <= start + length) {
                return true;
            }
            start += length;
        }
        return false;
    }

    /** The runs of queries {@code from} to {@code from + count} that there are, in their order. */
    void forQueries(int from, int count, Run run) {
        int start = 0;
        for (AttentionStream stream : streams) {
            int length = stream.queries();
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
     * @param bias    as {@link #bias} gives it, or null
     * @param present keys that exist, of all
     * @param scores  [n][NR], written
     */
    void startScores(float[] bias, int present, int key, int n, int query, int count, float[] scores) {
        int biased = bias == null ? 0 : Math.min(n, present - key);
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
        if (key + n > present) {
            Arrays.fill(scores, (present - key) * NR, n * NR, Float.NEGATIVE_INFINITY);
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
