package jdiffusion.kernels.attention;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/**
 * What is kept of an attention's probabilities, so that no matrix of queries by keys is needed. Keys and queries are
 * each numbered through all streams. The softmax's sums are those of the attention itself, so the probability of a key
 * costs one product of a query and that key, or nothing but its exponential where the CPU's attention keeps the score
 * on its way; {@code mass} and {@code entropy} take a second pass over all scores.
 *
 * @param logSums float32 [batch, heads, queries]: the logarithm of the sum of exp(score); -infinity where no key exists
 * @param keys    I32 [m], keys that are looked at; null for none. One that does not exist for a sequence, or is none
 *                at all, has probability 0
 * @param columns float32 [batch, heads, m, queries], the probabilities of these keys; null together with keys
 * @param mass    float32 [batch, heads, keys]: the sum of a key's probabilities over all queries; null for none
 * @param entropy float32 [batch, heads, queries]: of each query's probabilities, in nats; null together with mass
 * @param lap     called when the device has computed the attention itself (with columns that are kept on its way), and
 *                when the columns, so that each part's time can be taken; null for none
 */
public record AttentionLook(Tensor logSums, Tensor keys, Tensor columns, Tensor mass, Tensor entropy, Runnable lap) {
    public AttentionLook {
        if ((keys == null) != (columns == null)) {
            throw new IllegalArgumentException("keys and columns come together");
        }
        if ((mass == null) != (entropy == null)) {
            throw new IllegalArgumentException("mass and entropy come together");
        }
    }

    /** One whose parts nobody times. */
    public AttentionLook(Tensor logSums, Tensor keys, Tensor columns, Tensor mass, Tensor entropy) {
        this(logSums, keys, columns, mass, entropy, null);
    }

    /**
     * A part is done.
     *
     * @param wait for the device, where somebody takes the time
     */
    void lap(Runnable wait) {
        if (lap != null) {
            wait.run();
            lap.run();
        }
    }

    /** Keys that are looked at. */
    int columnCount() {
        return keys == null ? 0 : keys.shape().dim(0);
    }

    /** Multiplications and additions of what is computed a second time. */
    public long flops(AttentionShape shape, List<AttentionStream> streams) {
        return flops(shape, streams, columnCount());
    }

    /** The same where so many columns are computed a second time. */
    long flops(AttentionShape shape, List<AttentionStream> streams, int columnsAgain) {
        long queries = streams.stream().mapToLong(AttentionStream::queries).sum();
        long keyCount = streams.stream().mapToLong(AttentionStream::keys).sum();
        return shape.flops(queries, columnsAgain + (mass == null ? 0 : keyCount)) / 2;
    }

    /** @param again whether q is read again */
    void check(AttentionCall call, boolean again) {
        if (call.shape().causal() || call.relativeBias() != null) {
            throw new IllegalArgumentException("attention: one with a causal mask or a relative bias cannot be looked"
                    + " at");
        }
        for (AttentionStream stream : call.streams()) {
            if (again && stream.q() != null && stream.q() == stream.out()) {
                throw new IllegalArgumentException("attention: out is q, which is read again where it is looked at");
            }
        }
        int batch = call.shape().batch();
        int heads = call.shape().heads();
        check("log sums", logSums, DType.F32, batch, heads, call.queries());
        if (keys != null) {
            check("keys", keys, DType.I32, columnCount());
            check("columns", columns, DType.F32, batch, heads, columnCount(), call.queries());
        }
        if (mass != null) {
            check("mass", mass, DType.F32, batch, heads, call.keys());
            check("entropy", entropy, DType.F32, batch, heads, call.queries());
        }
    }

    private static void check(String name, Tensor tensor, DType type, int... dims) {
        if (tensor.type() != type || !Arrays.equals(tensor.shape().dims(), dims) || !tensor.isContiguous()) {
            throw new IllegalArgumentException("attention: " + name + " is " + tensor + ", needs " + type
                    + Arrays.toString(dims) + " in one piece");
        }
    }

    /** All tensors that are written or read. */
    public List<Tensor> tensors() {
        return Stream.of(logSums, keys, columns, mass, entropy).filter(t -> t != null).toList();
    }
}
