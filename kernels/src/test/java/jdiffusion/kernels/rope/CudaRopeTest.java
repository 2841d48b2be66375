package jdiffusion.kernels.rope;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.kernels.cuda.DeviceTest;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FloatFormat;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Norm and rotation of heads in place, on columns of wider rows, against the definition in double. */
class CudaRopeTest extends DeviceTest {
    private static final float EPS = 1e-5f;
    private static final int BATCH = 2;
    private static final int HEADS = 3;

    /** What is done to heads. */
    private enum Norm { NONE, RMS, LAYER }

    /**
     * Runs of 8 channels where the head is a multiple of 8, at most 256 wide and its rows are aligned.
     *
     * @param gap columns on either side of q and k
     */
    @ParameterizedTest
    @CsvSource({"BF16, 72, 8, RMS, true", "BF16, 128, 8, RMS, true", "BF16, 256, 8, LAYER, false",
        "F16, 64, 8, LAYER, true", "BF16, 8, 8, NONE, true", "BF16, 72, 3, LAYER, true", "F16, 34, 8, RMS, true",
        "BF16, 33, 8, LAYER, false", "BF16, 320, 8, RMS, true"})
    void followsTheDefinition(DType type, int headDim, int gap, Norm norm, boolean turned) {
        int n = 37;
        int width = HEADS * headDim;
        int stride = 2 * width + 2 * gap;
        float[] values = rounded(type, Samples.normal(1, (long) BATCH * n * stride, 0, 1));
        Tensor wide = device.put(type, values, BATCH, n, stride);
        Tensor q = wide.columns(gap, gap + width);
        Tensor k = wide.columns(gap + width, gap + 2 * width);
        float[] qWeight = Samples.normal(2, headDim, 0, 1);
        Tensor table = turned ? RopeReference.table(new Random(3), n, headDim) : null;
        AttentionShape shape = AttentionShape.of(BATCH, HEADS, headDim);
        AttentionStream stream = AttentionStream.of(q, k, k, q)
                .withNorms(norm == Norm.RMS ? device.put(DType.F32, qWeight, headDim) : null, null)
                .withRotary(table == null ? null : device.put(table));
        new CudaRope(device.cuda()).run(norm == Norm.LAYER ? shape.withLayerNorm(EPS) : shape, List.of(stream));

        float eps = norm == Norm.LAYER ? EPS : shape.normEps();
        float[] got = device.get(wide);
        double[] exact = expected(values, stride, gap, headDim, norm, qWeight, table, eps, x -> x);
        double[] naive = expected(values, stride, gap, headDim, norm, qWeight, table, eps, x -> (float) x);
        float[] naiveStored = new float[naive.length];
        for (int i = 0; i < naive.length; i++) {
            naiveStored[i] = rounded(type, (float) naive[i]);
        }
        Closeness.check(type + " heads of " + headDim, got, exact, naiveStored);
        for (int i = 0; i < got.length; i++) {
            int column = i % stride;
            if (column < gap || column >= stride - gap) {
                assertThat(got[i]).as("beside, element %d", i).isEqualTo(values[i]);
            }
        }
    }

    private static double[] expected(float[] values, int stride, int gap, int headDim, Norm norm, float[] qWeight,
                                     Tensor table, float eps, DoubleUnaryOperator step) {
        double[] all = new double[values.length];
        Arrays.setAll(all, i -> values[i]);
        int n = values.length / stride / BATCH;
        for (int row = 0; row < BATCH * n; row++) {
            for (int head = 0; head < 2 * HEADS; head++) {
                int at = row * stride + gap + head * headDim;
                double[] x = Arrays.copyOfRange(all, at, at + headDim);
                boolean ofQ = head < HEADS;
                if (norm == Norm.LAYER || norm == Norm.RMS && ofQ) {
                    double mean = norm == Norm.LAYER ? Arrays.stream(x).sum() / headDim : 0;
                    double squares = Arrays.stream(x).map(v -> (v - mean) * (v - mean)).sum() / headDim;
                    for (int c = 0; c < headDim; c++) {
                        double y = step.applyAsDouble((x[c] - mean) / Math.sqrt(squares + eps));
                        x[c] = norm == Norm.RMS ? step.applyAsDouble(y * qWeight[c]) : y;
                    }
                }
                if (table != null) {
                    RopeReference.turn(x, table, row % n, step);
                }
                System.arraycopy(x, 0, all, at, headDim);
            }
        }
        return all;
    }

    /** Streams that differ in length, of which one is only asked; a stream without tokens is left alone. */
    @Test
    void takesStreamsOfAllKinds() {
        int headDim = 16;
        int width = HEADS * headDim;
        List<AttentionStream> streams = new ArrayList<>();
        List<Tensor> tensors = new ArrayList<>();
        List<float[]> before = new ArrayList<>();
        for (int n : new int[] {20, 5, 0}) {
            float[] values = rounded(DType.BF16, Samples.normal(n, (long) BATCH * Math.max(1, n) * width, 0, 1));
            Tensor x = n == 0 ? device.empty(DType.BF16, BATCH, 0, width)
                    : device.put(DType.BF16, values, BATCH, n, width);
            tensors.add(x);
            before.add(values);
            streams.add(n == 5 ? AttentionStream.asked(x, x) : AttentionStream.asking(x, x));
        }
        new CudaRope(device.cuda()).run(AttentionShape.of(BATCH, HEADS, headDim).withLayerNorm(EPS), streams);
        for (int s = 0; s < 2; s++) {
            double[] exact = new double[before.get(s).length];
            float[] stored = new float[exact.length];
            for (int at = 0; at < exact.length; at += headDim) {
                double[] x = new double[headDim];
                for (int c = 0; c < headDim; c++) {
                    x[c] = before.get(s)[at + c];
                }
                double mean = Arrays.stream(x).sum() / headDim;
                double squares = Arrays.stream(x).map(v -> (v - mean) * (v - mean)).sum() / headDim;
                for (int c = 0; c < headDim; c++) {
                    exact[at + c] = (x[c] - mean) / Math.sqrt(squares + EPS);
                    stored[at + c] = rounded(DType.BF16, (float) exact[at + c]);
                }
            }
            Closeness.check("stream " + s, device.get(tensors.get(s)), exact, stored);
        }
    }

    private static float[] rounded(DType type, float[] values) {
        float[] all = new float[values.length];
        for (int i = 0; i < all.length; i++) {
            all[i] = rounded(type, values[i]);
        }
        return all;
    }

    private static float rounded(DType type, float x) {
        return type == DType.F16 ? FloatFormat.f16ToFloat(FloatFormat.floatToF16(x))
                : FloatFormat.bf16ToFloat(FloatFormat.floatToBf16(x));
    }
}
