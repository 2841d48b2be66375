package jdiffusion.kernels.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleUnaryOperator;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.rope.RopeReference;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/** Attention by its definition, one query at a time; in double, or with every step rounded as float32 code would. */
final class AttentionReference {
    private final AttentionShape shape;
    private final AttentionCase.Arguments arguments;
    /** Whether the result of every operation is rounded to float32. */
    private final boolean single;
    /** Rounds an input of a matrix product. */
    private final DoubleUnaryOperator input;
    /** Rounds a result. */
    private final DoubleUnaryOperator output;

    private AttentionReference(AttentionShape shape, AttentionCase.Arguments arguments, boolean single,
                               DoubleUnaryOperator input, DoubleUnaryOperator output) {
        this.shape = shape;
        this.arguments = arguments;
        this.single = single;
        this.input = input;
        this.output = output;
    }

    /** Outputs of all asking streams, in double. */
    static List<double[]> exact(AttentionCase problem) {
        return exact(problem, DType.F32);
    }

    /** The same by straightforward float32 code whose products take inputs of that precision. */
    static List<double[]> naive(AttentionCase problem, Precision precision) {
        DType input = precision == Precision.BF16 ? DType.BF16 : DType.F32;
        return new AttentionReference(problem.shape(), problem.arguments(), true,
                to(input), x -> x).compute();
    }

    /** Outputs in double, from q, k and v as a device's operand type holds them. */
    static List<double[]> exact(AttentionCase problem, DType operand) {
        return new AttentionReference(problem.shape(), problem.arguments(operand), false, x -> x, x -> x).compute();
    }

    /**
     * The same by straightforward code of a device: float32 arithmetic, but what a product reads (normed q and k,
     * the softmax's powers) and the output are rounded to the operand type.
     */
    static List<double[]> naive(AttentionCase problem, DType operand) {
        return new AttentionReference(problem.shape(), problem.arguments(operand), true,
                to(operand), to(operand)).compute();
    }

    /**
     * The probabilities [batch * heads][queries][keys], both through all streams, in double, from q and k as products of
     * that precision read them; 0 for keys that do not exist.
     */
    static double[][][] probabilities(AttentionShape shape, AttentionCase.Arguments arguments, DType input) {
        return probabilities(shape, arguments, rows(shape, arguments, input));
    }

    /** The channels of a head of q or k as products read them. */
    interface Rows {
        double[] of(AttentionStream stream, Role role, int b, int head, int token);
    }

    /** Normalised and turned in double, then rounded. */
    static Rows rows(AttentionShape shape, AttentionCase.Arguments arguments, DType input) {
        return new AttentionReference(shape, arguments, false, to(input), x -> x)::row;
    }

    /** The same from rows that somebody else made. */
    static double[][][] probabilities(AttentionShape shape, AttentionCase.Arguments arguments, Rows rows) {
        AttentionReference reference = new AttentionReference(shape, arguments, false, x -> x, x -> x);
        double[][][] all = new double[shape.batch() * shape.heads()][][];
        for (int pair = 0; pair < all.length; pair++) {
            all[pair] = reference.probabilities(rows, pair / shape.heads(), pair % shape.heads());
        }
        return all;
    }

    private double[][] probabilities(Rows made, int b, int head) {
        List<double[]> keys = new ArrayList<>();
        for (AttentionStream stream : arguments.streams()) {
            for (int token = 0; token < stream.keys(); token++) {
                keys.add(token < count(stream, b) ? made.of(stream, Role.K, b, head, token) : null);
            }
        }
        List<double[]> rows = new ArrayList<>();
        for (AttentionStream stream : arguments.streams()) {
            for (int token = 0; token < stream.queries(); token++) {
                double[] q = made.of(stream, Role.Q, b, head, token);
                rows.add(softmax(keys.stream().mapToDouble(k -> k == null ? Double.NEGATIVE_INFINITY
                        : product(q, k) * shape.scale()).toArray()));
            }
        }
        return rows.toArray(double[][]::new);
    }

    private static double product(double[] q, double[] k) {
        double sum = 0;
        for (int c = 0; c < q.length; c++) {
            sum += q[c] * k[c];
        }
        return sum;
    }

    private static double[] softmax(double[] scores) {
        double largest = Arrays.stream(scores).max().orElseThrow();
        double[] powers = Arrays.stream(scores).map(score -> score == Double.NEGATIVE_INFINITY ? 0
                : Math.exp(score - largest)).toArray();
        double sum = Arrays.stream(powers).sum();
        return Arrays.stream(powers).map(power -> sum == 0 ? 0 : power / sum).toArray();
    }

    /**
     * Outputs are off by at most twice what those of naive code are. Not with AssertJ's {@code containsExactly}, which
     * takes time with the square of the number of values.
     */
    static void assertAsClose(String name, List<float[]> actual, List<double[]> naive, List<double[]> exact) {
        assertThat(actual).hasSameSizeAs(exact);
        for (int s = 0; s < exact.size(); s++) {
            float[] values = actual.get(s);
            double[] expected = exact.get(s);
            assertThat(values).hasSameSizeAs(expected);
            double naiveError = 0;
            for (int i = 0; i < expected.length; i++) {
                naiveError = Math.max(naiveError, Math.abs(naive.get(s)[i] - expected[i]));
            }
            double allowed = 2 * naiveError + 1e-6;
            for (int i = 0; i < expected.length; i++) {
                if (!(Math.abs(values[i] - expected[i]) <= allowed)) {
                    assertThat((double) values[i]).as("%s, stream %d of the asking, element %d", name, s, i)
                            .isCloseTo(expected[i], within(allowed));
                }
            }
        }
    }

    /** All bits are the same, those of NaN too. */
    static void assertSame(List<float[]> actual, List<float[]> expected) {
        assertThat(actual).hasSameSizeAs(expected);
        for (int s = 0; s < actual.size(); s++) {
            assertThat(actual.get(s)).isEqualTo(expected.get(s));
        }
    }

    private double step(double x) {
        return single ? (float) x : x;
    }

    private static DoubleUnaryOperator to(DType type) {
        return x -> AttentionCase.rounded(type, x);
    }

    private List<double[]> compute() {
        List<double[]> outputs = new ArrayList<>();
        for (AttentionStream stream : arguments.streams()) {
            if (stream.q() != null) {
                outputs.add(new double[(int) stream.q().shape().size()]);
            }
        }
        for (int b = 0; b < shape.batch(); b++) {
            for (int head = 0; head < shape.heads(); head++) {
                head(b, head, outputs);
            }
        }
        return outputs;
    }

    private void head(int b, int head, List<double[]> outputs) {
        List<double[]> keys = new ArrayList<>();
        List<double[]> values = new ArrayList<>();
        for (AttentionStream stream : arguments.streams()) {
            for (int token = 0; token < count(stream, b); token++) {
                keys.add(row(stream, Role.K, b, head, token));
                values.add(row(stream, Role.V, b, head, token));
            }
        }
        int position = 0;
        int asking = 0;
        for (AttentionStream stream : arguments.streams()) {
            for (int token = 0; token < stream.queries(); token++) {
                double[] q = row(stream, Role.Q, b, head, token);
                double[] result = query(q, keys, values, head, position + token);
                int to = ((b * stream.queries() + token) * shape.heads() + head) * shape.headDim();
                System.arraycopy(result, 0, outputs.get(asking), to, result.length);
            }
            position += stream.keys();
            asking += stream.q() == null ? 0 : 1;
        }
    }

    /** The keys of a stream that exist. */
    private static int count(AttentionStream stream, int b) {
        return stream.keyCounts() == null ? stream.keys()
                : stream.keyCounts().data().getAtIndex(ValueLayout.JAVA_INT, b);
    }

    private double[] query(double[] q, List<double[]> keys, List<double[]> values, int head, int position) {
        double[] scores = new double[keys.size()];
        double largest = Double.NEGATIVE_INFINITY;
        for (int j = 0; j < scores.length; j++) {
            double score = 0;
            double[] key = keys.get(j);
            for (int c = 0; c < q.length; c++) {
                score = step(score + step(q[c] * key[c]));
            }
            score = step(score * shape.scale());
            if (arguments.bias() != null) {
                int zero = arguments.bias().cols() / 2;
                score = step(score + arguments.bias().get(head, j - position + zero));
            }
            scores[j] = shape.causal() && j > position ? Double.NEGATIVE_INFINITY : score;
            largest = Math.max(largest, scores[j]);
        }
        double sum = 0;
        double[] out = new double[q.length];
        for (int j = 0; j < scores.length; j++) {
            double p = step(Math.exp(step(scores[j] - largest)));
            sum = step(sum + p);
            p = input.applyAsDouble(p);
            double[] value = values.get(j);
            for (int c = 0; c < out.length; c++) {
                out[c] = step(out[c] + step(p * value[c]));
            }
        }
        for (int c = 0; c < out.length && sum > 0; c++) {
            out[c] = output.applyAsDouble(step(out[c] / sum));
        }
        return out;
    }

    private double[] row(AttentionStream stream, Role role, int b, int head, int token) {
        Tensor tensor = role.of(stream);
        double[] x = new double[shape.headDim()];
        for (int c = 0; c < x.length; c++) {
            x[c] = tensor.get(b * tensor.shape().dim(1) + token, head * x.length + c);
        }
        if (role != Role.V && shape.norm() == AttentionShape.Norm.LAYER) {
            double mean = step(sum(x, false) / x.length);
            for (int c = 0; c < x.length; c++) {
                x[c] = step(x[c] - mean);
            }
            divideByRoot(x);
        } else if (role.norm(stream) != null) {
            divideByRoot(x);
            for (int c = 0; c < x.length; c++) {
                x[c] = step(x[c] * role.norm(stream).get(0, c));
            }
        }
        if (role.rotary(stream) != null) {
            RopeReference.turn(x, stream.rotary(), token, this::step);
        }
        for (int c = 0; c < x.length; c++) {
            x[c] = input.applyAsDouble(x[c]);
        }
        return x;
    }

    private double sum(double[] x, boolean squared) {
        double sum = 0;
        for (double value : x) {
            sum = step(sum + (squared ? step(value * value) : value));
        }
        return sum;
    }

    private void divideByRoot(double[] x) {
        double square = step(sum(x, true) / x.length + shape.normEps());
        double root = step(Math.sqrt(square));
        for (int c = 0; c < x.length; c++) {
            x[c] = step(x[c] / root);
        }
    }
}
