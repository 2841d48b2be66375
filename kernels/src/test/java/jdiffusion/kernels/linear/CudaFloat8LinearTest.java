package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.List;
import java.util.stream.Stream;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Epilogue.Mode;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.kernels.linear.CudaWeights.Form;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Weights of float8 by inputs that are rounded to it, on a device that multiplies float8. */
@OnDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CudaFloat8LinearTest {
    TestDevice device;
    CudaLinear linear;

    int capability() {
        return 89;
    }

    @BeforeAll
    void open() {
        device = TestDevice.ofCapability(capability());
        assumeTrue(device.float8Obstacle() == null, device::float8Obstacle);
        linear = new CudaLinear(device.cuda(), true);
    }

    @AfterAll
    void close() {
        device.close();
    }

    @AfterEach
    void clear() {
        device.clear();
    }

    /** Whole chunks, and rows of every length and alignment; edges of tiles and stages. */
    static Stream<LinearCase> ragged() {
        return Stream.of(new LinearCase(1, 16, 8, DType.F8_E4M3), new LinearCase(63, 64, 65, DType.F8_E4M3),
                new LinearCase(65, 208, 63, DType.F8_E4M3), new LinearCase(7, 17, 65, DType.F8_E4M3),
                new LinearCase(130, 200, 72, DType.F8_E4M3), new LinearCase(5, 3, 70, DType.F8_E4M3),
                new LinearCase(6, 16, 64, DType.F8_E5M2), new LinearCase(33, 131, 66, DType.F8_E5M2),
                new LinearCase(3, 1100, 9, DType.F8_E4M3));
    }

    @ParameterizedTest
    @MethodSource("ragged")
    void raggedSizes(LinearCase c) {
        LinearSample sample = LinearSample.of(c).bias(DType.BF16);
        for (DType x : new DType[] {DType.BF16, DType.F32, DType.F16}) {
            check(sample.x(x));
        }
        check(sample.out(DType.BF16).gaps(3));
        check(sample.gaps(16).mode(Mode.ADD).gate(1));
    }

    @ParameterizedTest
    @EnumSource
    void activationsInEveryMode(Activation activation) {
        LinearSample sample = LinearSample.of(new LinearCase(14, 48, 72, DType.F8_E4M3)).activation(activation);
        for (Mode mode : Mode.values()) {
            check(sample.mode(mode));
            check(sample.mode(mode).out(DType.BF16).gaps(8));
        }
        check(sample.mode(Mode.ADD).gate(2).bias(null));
    }

    /** 99 blocks of the large tile and of the broad one, with edges: the sums are those of the small tile to the bit. */
    @ParameterizedTest
    @CsvSource({"F8_E4M3, 1290", "F8_E4M3, 2570", "F8_E5M2, 1290"})
    void manyRowsTakeLargerTiles(DType type, int n) {
        Epilogue gelu = Epilogue.activate(Activation.GELU_TANH);
        Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, 1100, 80));
        Weight w = new Weight.Scaled(device.put(TestTensors.random(2, type, 1, n, 80)), 0.03f);
        Tensor whole = device.empty(DType.F32, 1100, n);
        linear.run(List.of(new LinearCall(x, w, null, gelu, whole)));
        for (int row : new int[] {70, 1060}) {
            Tensor part = device.empty(DType.F32, 40, n);
            linear.run(List.of(new LinearCall(x.slice(row, row + 40), w, null, gelu, part)));
            assertThat(device.get(part)).isEqualTo(device.get(whole.slice(row, row + 40)));
        }
    }

    /** The scale of a matrix, in launches of several and in parts of one. */
    @Test
    void scalesOfTheirOwnInOneWeight() {
        Weight w = Weight.rows(scaled(1, 40, 80, 2), scaled(2, 50, 80, 0.1f),
                Weight.of(Samples.stored(DType.BF16, Samples.normal(8, 3 * 80, 0, 1), 3, 80)));
        int m = 9;
        float[] x = Samples.rounded(DType.BF16, Samples.normal(11, m * 80, 0, 1));
        Tensor out = device.empty(DType.F32, m, 93);
        linear.run(List.of(new LinearCall(device.put(DType.BF16, x, m, 80), CudaWeights.put(device, w), null,
                Epilogue.STORE, out)));
        float[] rounded = Float8Reference.rounded(x, m, 80);
        int from = 0;
        for (Weight part : ((Weight.Rows) w).parts()) {
            compare(part.toString(), device.get(out.columns(from, from + part.rows())), m, part,
                    part.isFloat8() ? rounded : x, Form.plain(m, DType.BF16), null);
            from += part.rows();
        }
    }

    /** What an adapter adds is made of the inputs as they are, in bfloat16. */
    @Test
    void adaptersBesideTheMatrix() {
        for (int[] nk : new int[][] {{70, 80, 8}, {33, 37, 8}, {6300, 32, 8}, {130, 272, 136}}) {
            int m = nk[0] > 100 ? 200 : 67;
            int k = nk[1];
            int rank = nk[2];
            Weight base = scaled(5, nk[0], k, 0.03f);
            Delta.LowRank pair = CudaWeights.pair(20, DType.BF16, rank, nk[0], k, 0.5f);
            Weight.Adapted w = new Weight.Adapted(base, List.of(pair));
            float[] x = Samples.rounded(DType.BF16, Samples.normal(11, m * k, 0, 1));
            Tensor out = device.empty(DType.F32, m, nk[0]);
            LinearCall call = new LinearCall(device.put(DType.BF16, x, m, k), CudaWeights.put(device, w), null,
                    Epilogue.STORE, out);
            linear.run(List.of(call));
            float[] rounded = Float8Reference.rounded(x, m, k);
            float[] t = LinearReference.naive(m, rank, k, x, pair.down().toArray(), null, Activation.NONE, Mode.STORE,
                    null, null);
            for (int i = 0; i < t.length; i++) {
                t[i] *= pair.scale();
            }
            float[] left = CudaAdapterTest.joined(m, k, rounded, rank, t);
            float[] leftOnDevice = CudaAdapterTest.joined(m, k, rounded, rank, Samples.rounded(DType.BF16, t));
            float[] right = CudaAdapterTest.joined(nk[0], k, CudaWeights.read(base), rank,
                    pair.up().toArray());
            Closeness.check("adapted " + nk[0], device.get(out), LinearReference.exact(m, nk[0], k + rank, left,
                    right, null, Activation.NONE, Mode.STORE, null, null), LinearReference.naive(m, nk[0], k + rank,
                    leftOnDevice, right, null, Activation.NONE, Mode.STORE, null, null));
            device.clear();
        }
    }

    /** Rows of zeros, of tiny and of huge numbers; what is not finite spoils its own row alone. */
    @Test
    void rowsOfEverySize() {
        float[] x = new float[7 * 16];
        for (int i = 0; i < 16; i++) {
            x[16 + i] = (i - 8) * 1e-38f;
            x[32 + i] = (i - 8) * 4e37f;
            x[48 + i] = i == 3 ? Float.NaN : 1;
            x[64 + i] = i == 3 ? Float.NEGATIVE_INFINITY : 1;
            x[80 + i] = i - 7;
            x[96 + i] = 2 * (i - 7);
        }
        Tensor ones = Samples.stored(DType.F8_E4M3, Samples.normal(1, 16, 1, 0), 1, 16);
        Tensor out = device.empty(DType.F32, 7, 1);
        linear.run(List.of(new LinearCall(device.put(DType.F32, x, 7, 16), Weight.of(device.put(ones)), null,
                Epilogue.STORE, out)));
        float[] got = device.get(out);
        float[] expected = LinearReference.naive(7, 1, 16, Float8Reference.rounded(x, 7, 16), ones.toArray(), null,
                Activation.NONE, Mode.STORE, null, null);
        assertThat(got[0]).isZero();
        for (int row : new int[] {1, 2, 5, 6}) {
            assertThat((double) got[row]).isCloseTo(expected[row],
                    Offset.offset(1e-5 * Math.abs(expected[row]) + 1e-44));
        }
        assertThat(got[3]).isNaN();
        assertThat(got[4]).isNaN();
        assertThat(got[6]).as("a scale of 2 for a row of twice the numbers").isEqualTo(2 * got[5]);
    }

    @Test
    void anInputOfSeveralLayersIsRoundedOnce() {
        Tensor x = device.put(DType.BF16, TestTensors.gaussian(1, 3 * 64, 1), 3, 64);
        Weight w = Weight.of(device.put(TestTensors.random(2, DType.F8_E4M3, 1, 64, 64)));
        List<LinearCall> calls = List.of(new LinearCall(x, Weight.rows(w, w, w), null, Epilogue.STORE,
                device.empty(DType.BF16, 3, 192)), new LinearCall(x, w, null, Epilogue.STORE,
                device.empty(DType.F32, 3, 64)));
        assertThat(CudaLinear.scratchBytes(calls, DType.BF16, true)).as("3 x 64 codes and 3 scales").isEqualTo(512);
        assertThat(CudaLinear.scratchBytes(calls, DType.BF16, false)).isZero();
        long before = device.cuda().launches();
        linear.run(calls);
        assertThat(device.cuda().launches() - before).as("the rounding and the products").isEqualTo(2);
    }

    private static Weight.Scaled scaled(long seed, int n, int k, float scale) {
        return new Weight.Scaled(Samples.stored(DType.F8_E4M3, Samples.normal(seed, (long) n * k, 0, 1), n, k), scale);
    }

    private void check(LinearSample s) {
        LinearCase c = s.size();
        Tensor x = device.put(TestTensors.random(1, s.x(), 1, c.m(), c.k() + s.gaps())).columns(s.gaps(),
                c.k() + s.gaps());
        Weight w = new Weight.Scaled(device.put(TestTensors.random(2, c.type(), 1 / Math.sqrt(c.k()), c.n(),
                c.k() + s.gaps())).columns(s.gaps(), c.k() + s.gaps()), 0.7f);
        Tensor bias = s.bias() == null ? null : device.put(TestTensors.random(3, s.bias(), 1, c.n()));
        Tensor gate = s.gate() == 0 ? null : device.put(TestTensors.random(4, DType.F32, 1, s.gate(), c.n()));
        Tensor out = device.put(TestTensors.random(5, s.out(), 1, c.m(), c.n() + 2 * s.gaps())).columns(s.gaps(),
                c.n() + s.gaps());
        float[] old = device.get(out);
        linear.run(List.of(new LinearCall(x, w, bias, new Epilogue(s.activation(), s.mode(), gate), out)));
        float[] xs = Float8Reference.rounded(device.get(x), c.m(), c.k());
        float[] ws = device.get(((Weight.Scaled) w).tensor());
        for (int i = 0; i < ws.length; i++) {
            ws[i] *= 0.7f;
        }
        float[] bs = bias == null ? null : device.get(bias);
        float[] gs = gate == null ? null : device.get(gate);
        Closeness.check(s.toString(), device.get(out),
                LinearReference.exact(c.m(), c.n(), c.k(), xs, ws, bs, s.activation(), s.mode(), gs, old),
                Samples.rounded(s.out(), LinearReference.naive(c.m(), c.n(), c.k(), xs, ws, bs, s.activation(),
                        s.mode(), gs, old)));
        device.clear();
    }

    private static void compare(String what, float[] got, int m, Weight w, float[] xs, Form form, float[] old) {
        float[] ws = CudaWeights.read(w);
        Closeness.check(what, got, LinearReference.exact(m, w.rows(), w.cols(), xs, ws, null, form.activation(),
                form.mode(), null, old), LinearReference.naive(m, w.rows(), w.cols(), xs, ws, null, form.activation(),
                form.mode(), null, old));
    }
}
