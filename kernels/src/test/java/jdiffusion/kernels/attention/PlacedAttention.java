package jdiffusion.kernels.attention;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/**
 * A case's arguments on a device, views of columns with NaN around them, and what came of them.
 *
 * @param buffers the outputs, where they are not q, with the gaps on either side
 */
record PlacedAttention(TestDevice device, AttentionShape shape, List<AttentionStream> streams, Tensor bias,
                       List<Tensor> buffers, int gap) {
    private static final float UNTOUCHED = 7;

    static PlacedAttention of(TestDevice device, AttentionCase problem, DType type, int gap, boolean inPlace) {
        AttentionShape shape = problem.shape();
        AttentionCase.Arguments arguments = problem.arguments(type);
        int width = shape.heads() * shape.headDim();
        List<AttentionStream> streams = new ArrayList<>();
        List<Tensor> buffers = new ArrayList<>();
        for (AttentionStream s : arguments.streams()) {
            int n = Math.max(s.queries(), s.keys());
            float[] values = new float[shape.batch() * n * (2 * gap + 3 * width)];
            Arrays.fill(values, Float.NaN);
            copy(s.q(), values, gap, 2 * gap + 3 * width);
            copy(s.k(), values, gap + width, 2 * gap + 3 * width);
            copy(s.v(), values, gap + 2 * width, 2 * gap + 3 * width);
            Tensor qkv = put(device, type, values, shape.batch(), n, 2 * gap + 3 * width);
            Tensor q = s.q() == null ? null : qkv.columns(gap, gap + width);
            Tensor k = s.k() == null ? null : qkv.columns(gap + width, gap + 2 * width);
            Tensor v = s.k() == null ? null : qkv.columns(gap + 2 * width, gap + 3 * width);
            Tensor out = q;
            if (q != null && !inPlace) {
                float[] untouched = new float[shape.batch() * n * (2 * gap + width)];
                Arrays.fill(untouched, UNTOUCHED);
                Tensor buffer = put(device, type, untouched, shape.batch(), n, 2 * gap + width);
                buffers.add(buffer);
                out = buffer.columns(gap, gap + width);
            }
            streams.add(AttentionStream.of(q, k, v, out)
                    .withNorms(put(device, s.qNorm()), put(device, s.kNorm())).withRotary(put(device, s.rotary()))
                    .withKeyCounts(put(device, s.keyCounts())));
        }
        return new PlacedAttention(device, shape, streams, put(device, arguments.bias()), buffers, gap);
    }

    private static Tensor put(TestDevice device, Tensor hostOrNull) {
        return hostOrNull == null ? null : device.put(hostOrNull);
    }

    private static Tensor put(TestDevice device, DType type, float[] values, int... dims) {
        return values.length == 0 ? device.empty(type, dims) : device.put(type, values, dims);
    }

    /** Host values, if any, into columns of wider rows. */
    private static void copy(Tensor from, float[] to, int column, int stride) {
        for (int i = 0; from != null && i < from.shape().size(); i++) {
            int row = i / from.cols();
            to[row * stride + column + i % from.cols()] = from.get(row, i % from.cols());
        }
    }

    /** One sequence of the batch, its output apart; before anything has run, which may write over q and k. */
    PlacedAttention only(int sequence) {
        List<AttentionStream> some = streams.stream().map(s -> AttentionStream.of(
                slice(s.q(), sequence), slice(s.k(), sequence), slice(s.v(), sequence),
                s.q() == null ? null : device.empty(s.q().type(), 1, s.queries(), s.q().cols()))
                .withNorms(s.qNorm(), s.kNorm()).withRotary(s.rotary())
                .withKeyCounts(slice(s.keyCounts(), sequence))).toList();
        AttentionShape alone = new AttentionShape(1, shape.heads(), shape.headDim(), shape.scale(), shape.causal(),
                shape.norm(), shape.normEps());
        return new PlacedAttention(device, alone, some, bias, List.of(), 0);
    }

    private static Tensor slice(Tensor tensorOrNull, int sequence) {
        return tensorOrNull == null ? null : tensorOrNull.slice(sequence, sequence + 1);
    }

    void run() {
        new CudaAttention(device.cuda()).run(shape, streams, bias);
    }

    List<float[]> outputs() {
        return streams.stream().filter(s -> s.out() != null).map(s -> device.get(s.out())).toList();
    }

    void assertGapsUntouched() {
        for (Tensor buffer : buffers) {
            float[] values = device.get(buffer);
            for (int i = 0; i < values.length; i++) {
                int column = i % buffer.cols();
                if (column < gap || column >= buffer.cols() - gap) {
                    assertThat(values[i]).as("element %d", i).isEqualTo(UNTOUCHED);
                }
            }
        }
    }

    /** Runs a case and compares with the definition, and the error with that of naive code. */
    static void check(TestDevice device, AttentionCase problem, DType type, int gap) {
        List<double[]> exact = AttentionReference.exact(problem, type);
        List<double[]> naive = AttentionReference.naive(problem, type);
        PlacedAttention arguments = of(device, problem, type, gap, false);
        arguments.run();
        List<float[]> actual = arguments.outputs();
        assertThat(actual).hasSameSizeAs(exact);
        for (int s = 0; s < exact.size(); s++) {
            float[] rounded = new float[naive.get(s).length];
            for (int i = 0; i < rounded.length; i++) {
                rounded[i] = (float) naive.get(s)[i];
            }
            Closeness.check(type + ", stream " + s + " of the asking", actual.get(s), exact.get(s), rounded);
        }
        arguments.assertGapsUntouched();
    }
}
