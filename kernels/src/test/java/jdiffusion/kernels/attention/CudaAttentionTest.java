package jdiffusion.kernels.attention;

import static jdiffusion.kernels.attention.AttentionReference.assertSame;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** All variants of the kernels, on views of columns with NaN around them, against the definition. */
@OnDevice
class CudaAttentionTest {
    /** Elements on either side of a tensor's columns: rows stay aligned. */
    private static final int ALIGNED = 8;
    /** Rows are not aligned, so only the plain kernel takes them. */
    private static final int ODD = 1;
    private static final float UNTOUCHED = 7;

    private static TestDevice device;

    @BeforeAll
    static void open() {
        device = TestDevice.open();
    }

    @AfterEach
    void clear() {
        device.clear();
    }

    @AfterAll
    static void close() {
        device.close();
    }

    static List<AttentionCase> cases() {
        List<AttentionCase> cases = new ArrayList<>(AttentionCase.ragged());
        cases.addAll(AttentionCase.ofFamilies());
        cases.addAll(List.of(
                AttentionCase.of(2, 2, 16, 77).causal(),
                AttentionCase.of(1, 2, 8, 40),
                AttentionCase.of(1, 2, 40, 131).norm(DType.F32),
                AttentionCase.of(1, 2, 128, 100, 33).norm(DType.BF16),
                AttentionCase.of(2, 1, 72, 70).causal().biased().norm(DType.F16),
                AttentionCase.of(1, 2, 64, 200).causal(),
                AttentionCase.of(1, 2, 64, 130).scale(1).biased(),
                AttentionCase.of(1, 1, 64, 260, 77).norm(DType.F32),
                AttentionCase.of(1, 2, 136, 65),
                AttentionCase.of(1, 1, 256, 33).spread(30),
                AttentionCase.of(1, 1, 520, 20),
                AttentionCase.cross(1, 2, 128, 70, 77),
                AttentionCase.cross(2, 1, 64, 260, 300),
                AttentionCase.cross(1, 1, 160, 20, 77),
                AttentionCase.of(1, 2, 72, 300, 77).norm(DType.F32),
                AttentionCase.of(1, 2, 72, 131).causal().scale(1).biased(),
                AttentionCase.of(2, 1, 256, 130, 70).norm(DType.BF16).turned(0, 1).silent(1),
                AttentionCase.of(2, 1, 256, 100).scale(1).biased().counts(0, 33, 100),
                AttentionCase.of(1, 1, 256, 90).causal(),
                AttentionCase.of(1, 1, 200, 40, 70).layerNorm(),
                AttentionCase.of(1, 1, 512, 70).norm(DType.F32).turned(0),
                AttentionCase.of(1, 1, 512, 40).layerNorm(),
                AttentionCase.of(2, 1, 512, 40).counts(0, 5, 40),
                AttentionCase.of(2, 2, 64, 70).counts(0, 0, 0)));
        return cases;
    }

    @ParameterizedTest
    @MethodSource("cases")
    void isAsCloseToTheDefinitionAsNaiveCode(AttentionCase problem) {
        check(problem, DType.BF16, ALIGNED);
    }

    static List<AttentionCase> float16() {
        return List.of(
                AttentionCase.of(1, 2, 64, 100, 77).norm(DType.F32),
                AttentionCase.of(1, 2, 32, 77).causal(),
                AttentionCase.of(1, 1, 128, 70),
                AttentionCase.of(1, 1, 512, 40),
                AttentionCase.cross(1, 2, 64, 40, 77),
                AttentionCase.of(1, 2, 72, 77).norm(DType.F32).turned(0),
                AttentionCase.of(1, 1, 256, 40, 33).layerNorm(),
                AttentionCase.of(1, 2, 7, 40));
    }

    @ParameterizedTest
    @MethodSource("float16")
    void takesFloat16(AttentionCase problem) {
        check(problem, DType.F16, ALIGNED);
    }

    static List<AttentionCase> anywhere() {
        return List.of(
                AttentionCase.of(2, 2, 64, 33, 40).norm(DType.F8_E4M3),
                AttentionCase.of(1, 2, 24, 70).causal().biased(),
                AttentionCase.of(1, 2, 64, 20, 0, 37).silent(2),
                AttentionCase.of(2, 2, 64, 33, 40).norm(DType.F32).turned(0),
                AttentionCase.of(1, 2, 72, 33).layerNorm().turned(0),
                AttentionCase.of(2, 2, 9, 77).layerNorm().counts(0, 20, 77),
                AttentionCase.cross(1, 2, 64, 33, 77));
    }

    @ParameterizedTest
    @MethodSource("anywhere")
    void takesRowsThatAreNotAligned(AttentionCase problem) {
        check(problem, DType.BF16, ODD);
    }

    private static void check(AttentionCase problem, DType type, int gap) {
        List<double[]> exact = AttentionReference.exact(problem, type);
        List<double[]> naive = AttentionReference.naive(problem, type);
        OnDevice arguments = OnDevice.of(problem, type, gap, false);
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

    @ParameterizedTest
    @MethodSource("float16")
    void mayWriteOverQ(AttentionCase problem) {
        OnDevice apart = OnDevice.of(problem, DType.BF16, ALIGNED, false);
        OnDevice inPlace = OnDevice.of(problem, DType.BF16, ALIGNED, true);
        apart.run();
        inPlace.run();
        assertSame(inPlace.outputs(), apart.outputs());
    }

    static List<AttentionCase> batches() {
        return List.of(
                AttentionCase.of(3, 2, 64, 70, 33).norm(DType.F32),
                AttentionCase.cross(2, 2, 64, 70, 77),
                AttentionCase.of(2, 1, 512, 40),
                AttentionCase.of(2, 2, 32, 77).causal(),
                AttentionCase.of(3, 2, 72, 150).counts(0, 150, 9, 70).turned(0),
                AttentionCase.of(2, 1, 256, 40, 90).layerNorm().counts(1, 3, 70));
    }

    @ParameterizedTest
    @MethodSource("batches")
    void doesNotDependOnTheRestOfTheBatch(AttentionCase problem) {
        OnDevice all = OnDevice.of(problem, DType.BF16, ALIGNED, false);
        all.run();
        List<float[]> together = all.outputs();
        int last = problem.shape().batch() - 1;
        OnDevice one = OnDevice.of(problem, DType.BF16, ALIGNED, false).only(last);
        one.run();
        List<float[]> alone = one.outputs();
        for (int s = 0; s < alone.size(); s++) {
            int size = alone.get(s).length;
            assertThat(alone.get(s))
                    .isEqualTo(Arrays.copyOfRange(together.get(s), last * size, (last + 1) * size));
        }
    }

    /** One key wins by far, so the answer is its value, and nothing overflows on the way. */
    @Test
    void survivesLogitsOfAnySize() {
        int n = 200;
        float[] q = new float[n * 8];
        float[] k = new float[n * 8];
        float[] v = new float[n * 8];
        Arrays.fill(q, 1e15f);
        for (int i = 0; i < n; i++) {
            Arrays.fill(k, i * 8, i * 8 + 8, i == 133 ? 1e15f : -1e15f * (i + 1));
            Arrays.fill(v, i * 8, i * 8 + 8, i);
        }
        Tensor out = device.empty(DType.BF16, 1, n, 8);
        new CudaAttention(device.cuda()).run(AttentionShape.of(1, 1, 8), List.of(AttentionStream.of(
                put(q, 1, n, 8), put(k, 1, n, 8), put(v, 1, n, 8), out)), null);
        assertThat(device.get(out)).containsOnly(133f);
    }

    /** A bias of -infinity hides keys: tiles of them, and for some queries all, which then get zeros. */
    @Test
    void aQueryThatSeesNoKeyGetsZeros() {
        int n = 150;
        for (int channels : new int[] {64, 128, 7}) {
            float[] bias = new float[2 * n - 1];
            Arrays.fill(bias, Float.NEGATIVE_INFINITY);
            bias[100 + n - 1] = 0;
            float[] zeros = new float[n * channels];
            float[] v = new float[n * channels];
            for (int i = 0; i < v.length; i++) {
                v[i] = i / channels;
            }
            Tensor zero = put(zeros, 1, n, channels);
            Tensor out = device.empty(DType.BF16, 1, n, channels);
            new CudaAttention(device.cuda()).run(AttentionShape.of(1, 1, channels),
                    List.of(AttentionStream.of(zero, zero, put(v, 1, n, channels), out)),
                    device.put(DType.F32, bias, 1, 2 * n - 1));
            float[] expected = new float[n * channels];
            for (int i = 0; i < v.length; i++) {
                expected[i] = i / channels < n - 100 ? v[i] + 100 : 0;
            }
            assertThat(device.get(out)).isEqualTo(expected);
        }
    }

    @Test
    void nothingAskedIsNothingDone() {
        Tensor x = put(new float[16], 1, 2, 8);
        Tensor none = device.empty(DType.BF16, 1, 0, 8);
        CudaAttention attention = new CudaAttention(device.cuda());
        attention.run(AttentionShape.of(1, 1, 8), List.of(AttentionStream.of(null, x, x, null)), null);
        attention.run(AttentionShape.of(1, 1, 8), List.of(AttentionStream.of(none, none, none, none)), null);
        assertThat(device.get(x)).containsOnly(0);
    }

    @Test
    void namesBothShapesOfAMismatch() {
        Tensor x = put(new float[40], 1, 5, 8);
        Tensor wide = device.put(DType.F32, new float[40], 1, 5, 8);
        Tensor half = device.put(DType.F16, new float[40], 1, 5, 8);
        AttentionStream plain = AttentionStream.of(x, x, x, x);
        assertRefused(4, List.of(AttentionStream.of(wide, wide, wide, wide)), "k of stream 0 is F32[1, 5, 8]",
                "needs BF16[1, 5, 8]");
        assertRefused(4, List.of(AttentionStream.of(x, x, half, x)), "v of stream 0 is F16[1, 5, 8]",
                "needs BF16[1, 5, 8]");
        assertRefused(4, List.of(plain, plain, plain, plain), "more than 3 streams", "2 heads of 4 channels");
        assertRefused(4, List.of(), "no stream");
        Tensor huge = put(new float[2 * 4000], 1, 1, 2 * 4000);
        assertRefused(4000, List.of(AttentionStream.of(huge, huge, huge, huge)), "4000 channels");
    }

    private static void assertRefused(int channels, List<AttentionStream> streams, String... says) {
        CudaAttention attention = new CudaAttention(device.cuda());
        assertThatThrownBy(() -> attention.run(AttentionShape.of(1, 2, channels), streams, null))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("attention")
                .hasMessageContainingAll(says);
    }

    private static Tensor put(float[] values, int... dims) {
        return device.put(DType.BF16, values, dims);
    }

    /**
     * A case's arguments on the device.
     *
     * @param buffers the outputs, where they are not q, with the gaps on either side
     */
    private record OnDevice(AttentionShape shape, List<AttentionStream> streams, Tensor bias, List<Tensor> buffers,
                            int gap) {
        static OnDevice of(AttentionCase problem, DType type, int gap, boolean inPlace) {
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
                Tensor qkv = put(type, values, shape.batch(), n, 2 * gap + 3 * width);
                Tensor q = s.q() == null ? null : qkv.columns(gap, gap + width);
                Tensor k = s.k() == null ? null : qkv.columns(gap + width, gap + 2 * width);
                Tensor v = s.k() == null ? null : qkv.columns(gap + 2 * width, gap + 3 * width);
                Tensor out = q;
                if (q != null && !inPlace) {
                    float[] untouched = new float[shape.batch() * n * (2 * gap + width)];
                    Arrays.fill(untouched, UNTOUCHED);
                    Tensor buffer = put(type, untouched, shape.batch(), n, 2 * gap + width);
                    buffers.add(buffer);
                    out = buffer.columns(gap, gap + width);
                }
                streams.add(AttentionStream.of(q, k, v, out)
                        .withNorms(put(s.qNorm()), put(s.kNorm())).withRotary(put(s.rotary()))
                        .withKeyCounts(put(s.keyCounts())));
            }
            return new OnDevice(shape, streams, arguments.bias() == null ? null : device.put(arguments.bias()),
                    buffers, gap);
        }

        private static Tensor put(Tensor hostOrNull) {
            return hostOrNull == null ? null : device.put(hostOrNull);
        }

        private static Tensor put(DType type, float[] values, int... dims) {
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
        OnDevice only(int sequence) {
            List<AttentionStream> some = streams.stream().map(s -> AttentionStream.of(
                    slice(s.q(), sequence), slice(s.k(), sequence), slice(s.v(), sequence),
                    s.q() == null ? null : device.empty(s.q().type(), 1, s.queries(), s.q().cols()))
                    .withNorms(s.qNorm(), s.kNorm()).withRotary(s.rotary())
                    .withKeyCounts(slice(s.keyCounts(), sequence))).toList();
            return new OnDevice(new AttentionShape(1, shape.heads(), shape.headDim(), shape.scale(), shape.causal(),
                    shape.norm(), shape.normEps()), some, bias, List.of(), 0);
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
    }
}
