package jdiffusion.kernels.attention;

import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleUnaryOperator;
import jdiffusion.kernels.Precision;
import jdiffusion.tensor.FloatFormat;
import jdiffusion.tensor.Tensor;

/** Attention by its definition, one query at a time; in double, or with every step rounded as float32 code would. */
final class AttentionReference {
    private final AttentionShape shape;
    private final AttentionCase.Arguments arguments;
    /** Rounds the result of an operation. */
    private final DoubleUnaryOperator step;
    /** Rounds an input of a matrix product. */
    private final DoubleUnaryOperator input;

    private AttentionReference(AttentionCase problem, DoubleUnaryOperator step, DoubleUnaryOperator input) {
        this.shape = problem.shape();
        this.arguments = problem.arguments();
        this.step = step;
        this.input = input;
    }

    /** Outputs of all asking streams, in double. */
    static List<double[]> exact(AttentionCase problem) {
        return new AttentionReference(problem, x -> x, x -> x).compute();
    }

    /** The same by straightforward float32 code whose products take inputs of that precision. */
    static List<double[]> naive(AttentionCase problem, Precision precision) {
        DoubleUnaryOperator bf16 = x -> FloatFormat.bf16ToFloat(FloatFormat.floatToBf16((float) x));
        return new AttentionReference(problem, x -> (float) x, precision == Precision.BF16 ? bf16 : x -> x).compute();
    }

    private List<double[]> compute() {
        List<double[]> outputs = new ArrayList<>();
        int firstToken = 0;
        for (AttentionStream stream : arguments.streams()) {
            if (stream.q() != null) {
                double[] out = new double[(int) stream.q().shape().size()];
                for (int b = 0; b < shape.batch(); b++) {
                    for (int head = 0; head < shape.heads(); head++) {
                        for (int token = 0; token < stream.length(); token++) {
                            double[] result = query(stream, b, head, token, firstToken + token);
                            int to = ((b * stream.length() + token) * shape.heads() + head) * shape.headDim();
                            System.arraycopy(result, 0, out, to, result.length);
                        }
                    }
                }
                outputs.add(out);
            }
            firstToken += stream.length();
        }
        return outputs;
    }

    private double[] query(AttentionStream stream, int b, int head, int token, int position) {
        double[] q = row(stream.q(), stream.qNorm(), b, head, token);
        List<double[]> values = new ArrayList<>();
        List<Double> scores = new ArrayList<>();
        double largest = Double.NEGATIVE_INFINITY;
        for (AttentionStream other : arguments.streams()) {
            for (int t = 0; t < other.length(); t++) {
                int j = scores.size();
                double score = 0;
                double[] k = row(other.k(), other.kNorm(), b, head, t);
                for (int c = 0; c < q.length; c++) {
                    score = step.applyAsDouble(score + step.applyAsDouble(q[c] * k[c]));
                }
                score = step.applyAsDouble(score * shape.scale());
                if (arguments.bias() != null) {
                    score = step.applyAsDouble(score
                            + arguments.bias().get(head, j - position + stream.length() - 1));
                }
                if (shape.causal() && j > position) {
                    score = Double.NEGATIVE_INFINITY;
                }
                largest = Math.max(largest, score);
                scores.add(score);
                values.add(row(other.v(), null, b, head, t));
            }
        }
        double sum = 0;
        double[] out = new double[q.length];
        for (int j = 0; j < scores.size(); j++) {
            double p = step.applyAsDouble(Math.exp(step.applyAsDouble(scores.get(j) - largest)));
            sum = step.applyAsDouble(sum + p);
            p = input.applyAsDouble(p);
            for (int c = 0; c < out.length; c++) {
                out[c] = step.applyAsDouble(out[c] + step.applyAsDouble(p * values.get(j)[c]));
            }
        }
        for (int c = 0; c < out.length; c++) {
            out[c] = step.applyAsDouble(out[c] / sum);
        }
        return out;
    }

    private double[] row(Tensor tensor, Tensor norm, int b, int head, int token) {
        double[] x = new double[shape.headDim()];
        double squares = 0;
        for (int c = 0; c < x.length; c++) {
            x[c] = tensor.get(b * tensor.shape().dim(1) + token, head * x.length + c);
            squares = step.applyAsDouble(squares + step.applyAsDouble(x[c] * x[c]));
        }
        if (norm != null) {
            double root = step.applyAsDouble(Math.sqrt(step.applyAsDouble(squares / x.length + shape.normEps())));
            for (int c = 0; c < x.length; c++) {
                x[c] = step.applyAsDouble(step.applyAsDouble(x[c] / root) * norm.get(0, c));
            }
        }
        for (int c = 0; c < x.length; c++) {
            x[c] = input.applyAsDouble(x[c]);
        }
        return x;
    }
}
