package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.DeviceException;
import jdiffusion.kernels.Epilogue.Mode;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.StandIn;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FourBitWeight;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Linear layers by cuBLAS, or on the emulated device by a stand-in for it. */
@OnDevice
class CudaCublasLinearTest {
    private static TestDevice device;
    private static CublasLinear linear;

    @BeforeAll
    static void open() throws IOException, InterruptedException {
        if (!TestDevice.isReal()) {
            StandIn.load(CudaCublasLinearTest.class, "cublas.c", "libcublas.so.12");
        }
        assumeTrue(CublasLinear.obstacle() == null, () -> "skipped: " + CublasLinear.obstacle());
        device = TestDevice.open();
        linear = new CublasLinear(device.cuda());
    }

    @AfterAll
    static void close() {
        if (device != null) {
            linear.close();
            device.close();
        }
    }

    @AfterEach
    void clear() {
        device.clear();
    }

    static Stream<LinearCase> ragged() {
        return Arrays.stream(LinearCase.RAGGED);
    }

    @ParameterizedTest
    @MethodSource("ragged")
    void raggedSizesAndAllWeightTypes(LinearCase c) {
        check(c, DType.BF16, DType.F32, Activation.NONE, Mode.STORE, 0, true);
        check(c, DType.F32, DType.BF16, Activation.NONE, Mode.STORE, 0, false);
    }

    @ParameterizedTest
    @EnumSource
    void activationsInEveryMode(Activation activation) {
        LinearCase c = new LinearCase(14, 40, 71, DType.BF16);
        for (Mode mode : Mode.values()) {
            check(c, DType.BF16, DType.F32, activation, mode, 0, true);
            check(c, DType.BF16, DType.BF16, activation, mode, 0, true);
        }
        check(c, DType.BF16, DType.F32, activation, Mode.ADD, 2, false);
    }

    @Test
    void gatesFollowTheirRunsOfRows() {
        for (int batch : new int[] {1, 2, 3, 18}) {
            check(new LinearCase(18, 21, 130, DType.F16), DType.BF16, DType.F32, Activation.NONE, Mode.ADD, batch,
                    true);
        }
    }

    @Test
    void float16IsMultipliedAsIs() {
        check(new LinearCase(9, 50, 33, DType.F16), DType.F16, DType.F16, Activation.NONE, Mode.STORE, 0, true);
        check(new LinearCase(9, 50, 33, DType.F32), DType.F16, DType.F32, Activation.NONE, Mode.STORE, 0, true);
    }

    @Test
    void concatenatedWeightsAreOneWeight() {
        Tensor a = TestTensors.random(1, DType.BF16, 1, 70, 33);
        Tensor b = TestTensors.random(2, DType.F8_E5M2, 1, 1, 33);
        Tensor c = TestTensors.random(3, DType.F8_E4M3, 1, 63, 33);
        float[] joined = new float[134 * 33];
        System.arraycopy(a.toArray(), 0, joined, 0, 70 * 33);
        System.arraycopy(b.toArray(), 0, joined, 70 * 33, 33);
        System.arraycopy(c.toArray(), 0, joined, 71 * 33, 63 * 33);
        Tensor x = device.put(DType.BF16, TestTensors.gaussian(4, 9 * 33, 1), 9, 33);
        Weight nested = Weight.rows(Weight.of(device.put(a)),
                Weight.rows(Weight.of(device.put(b)), Weight.of(device.put(c))));
        Tensor apart = device.empty(DType.F32, 9, 134);
        Tensor together = device.empty(DType.F32, 9, 134);
        linear.run(List.of(new LinearCall(x, nested, null, Epilogue.STORE, apart), new LinearCall(x,
                Weight.of(device.put(DType.BF16, joined, 134, 33)), null, Epilogue.STORE, together)));
        assertThat(device.get(apart)).isEqualTo(device.get(together));
    }

    @Test
    void weightsMayHaveGapsBetweenRows() {
        for (DType type : new DType[] {DType.BF16, DType.F16}) {
            Tensor wide = device.put(TestTensors.random(1, type, 1, 40, 50));
            Tensor closed = device.put(Samples.stored(type, device.get(wide.columns(7, 40)), 40, 33));
            Tensor x = device.put(DType.BF16, TestTensors.gaussian(2, 3 * 33, 1), 3, 33);
            Tensor out1 = device.empty(DType.F32, 3, 40);
            Tensor out2 = device.empty(DType.F32, 3, 40);
            linear.run(List.of(new LinearCall(x, Weight.of(wide.columns(7, 40)), null, Epilogue.STORE, out1),
                    new LinearCall(x, Weight.of(closed), null, Epilogue.STORE, out2)));
            assertThat(device.get(out1)).isEqualTo(device.get(out2));
        }
    }

    @Test
    void quantisedWeightsAreRefused() {
        Weight w = new FourBitWeight(2, 64, device.empty(DType.U8, 64), device.empty(DType.F32, 16), 64,
                device.empty(DType.F32, 2), null);
        LinearCall call = new LinearCall(device.empty(DType.BF16, 3, 64), Weight.rows(w, w), null, Epilogue.STORE,
                device.empty(DType.F32, 3, 4));
        assertThatThrownBy(() -> linear.run(List.of(call))).isInstanceOf(DeviceException.class)
                .hasMessageContainingAll("--gemm cublas", "quantised weights", "[4, 64]", "--gemm own");
    }

    /** Columns of wider tensors in and out, against the reference. */
    private static void check(LinearCase c, DType xType, DType outType, Activation activation, Mode mode,
                              int gateRows, boolean withBias) {
        float[] x = TestTensors.gaussian(1, c.m() * c.k(), 1);
        Tensor w = TestTensors.random(2, c.type(), 1 / Math.sqrt(c.k()), c.n(), c.k());
        Tensor bias = withBias ? TestTensors.random(3, c.type(), 1, c.n()) : null;
        float[] gate = gateRows == 0 ? null : TestTensors.gaussian(4, gateRows * c.n(), 1);
        float[] old = rounded(outType, TestTensors.gaussian(5, c.m() * c.n(), 1));
        Tensor out = columns(outType, old, 3, 2, c.m(), c.n());
        linear.run(List.of(new LinearCall(columns(xType, x, 2, 5, c.m(), c.k()), Weight.of(device.put(w)),
                bias == null ? null : device.put(bias), new Epilogue(activation, mode,
                gate == null ? null : columns(DType.F32, gate, 1, 6, gateRows, c.n())), out)));
        DType product = xType == DType.F32 ? DType.BF16 : xType;
        float[] xs = rounded(product, x);
        float[] ws = rounded(product, w.toArray());
        float[] bs = bias == null ? null : bias.toArray();
        Closeness.check(c + " x " + xType + " out " + outType + " " + activation + " " + mode + " gate of " + gateRows,
                device.get(out),
                LinearReference.exact(c.m(), c.n(), c.k(), xs, ws, bs, activation, mode, gate, old),
                rounded(outType, LinearReference.naive(c.m(), c.n(), c.k(), xs, ws, bs, activation, mode, gate, old)));
        Tensor around = device.fetch(out);
        for (int r = 0; r < c.m() - 1; r++) {
            for (int i = c.n(); i < around.rowStride(); i++) {
                assertThat(around.get(r, i)).isNaN();
            }
        }
    }

    /** Columns of a wider tensor whose other columns hold NaN. */
    private static Tensor columns(DType type, float[] values, int before, int after, int rows, int cols) {
        int stride = before + cols + after;
        float[] wide = new float[rows * stride];
        Arrays.fill(wide, Float.NaN);
        for (int r = 0; r < rows; r++) {
            System.arraycopy(values, r * cols, wide, r * stride + before, cols);
        }
        return device.put(type, wide, rows, stride).columns(before, before + cols);
    }

    private static float[] rounded(DType type, float[] values) {
        return Samples.stored(type, values, values.length).toArray();
    }
}
