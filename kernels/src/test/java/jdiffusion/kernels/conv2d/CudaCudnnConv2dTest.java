package jdiffusion.kernels.conv2d;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.stream.Stream;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.DeviceException;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.StandIn;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Convolution by cuDNN, or on the emulated device by a stand-in for it. */
@OnDevice
class CudaCudnnConv2dTest {
    private static TestDevice device;
    private static CudnnConv2d conv;

    @BeforeAll
    static void open() throws IOException, InterruptedException {
        if (!TestDevice.isReal()) {
            StandIn.load(CudaCudnnConv2dTest.class, "cudnn.c", "libcudnn.so.9");
        }
        assumeTrue(CudnnConv2d.obstacle() == null, () -> "skipped: " + CudnnConv2d.obstacle());
        device = TestDevice.open();
        conv = new CudnnConv2d(device.cuda());
    }

    @AfterAll
    static void close() {
        if (device != null) {
            conv.close();
            device.close();
        }
    }

    @AfterEach
    void clear() {
        device.clear();
    }

    static Stream<Conv2dShape> ragged() {
        return Arrays.stream(Conv2dCases.RAGGED);
    }

    @ParameterizedTest
    @MethodSource("ragged")
    void raggedSizes(Conv2dShape shape) {
        check(shape, DType.BF16, DType.BF16, DType.F32, false);
        check(shape, DType.F32, DType.BF16, DType.F32, true);
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
    void allBiasTypes(DType type) {
        check(Conv2dShape.same(1, 6, 7, 5, 9, 3), DType.BF16, type, DType.BF16, false);
        check(new Conv2dShape(1, 6, 7, 5, 9, 3, 2, 0, 1), DType.BF16, type, DType.BF16, true);
    }

    @Test
    void inputAndOutputMayHaveGapsBetweenPixels() {
        Conv2dShape s = new Conv2dShape(2, 5, 7, 6, 10, 3, 2, 1, 1);
        Tensor weight = placed(s, TestTensors.gaussian(2, 10 * 6 * 9, 1));
        Tensor x = device.put(DType.BF16, TestTensors.gaussian(1, 2 * 5 * 7 * 11, 1), 2, 5, 7, 11).columns(3, 9);
        Tensor closed = device.put(DType.BF16, device.get(x), 2, 5, 7, 6);
        Tensor wide = device.put(DType.F32, new float[2 * 3 * 4 * 13], 2, 3, 4, 13);
        Tensor out = device.empty(DType.F32, 2, 3, 4, 10);
        conv.run(s, x, weight, null, Epilogue.STORE, wide.columns(1, 11));
        conv.run(s, closed, weight, null, Epilogue.STORE, out);
        assertThat(device.get(wide.columns(1, 11))).isEqualTo(device.get(out));
        assertThat(device.get(wide.columns(0, 1))).containsOnly(0);
        assertThat(device.get(wide.columns(11, 13))).containsOnly(0);
    }

    @Test
    void everyImageMayHaveABiasOfItsOwn() {
        Conv2dShape s = Conv2dShape.same(3, 5, 7, 6, 10, 3);
        Tensor x = device.put(DType.BF16, TestTensors.gaussian(1, 3 * 5 * 7 * 6, 1), 3, 5, 7, 6);
        Tensor weight = placed(s, TestTensors.gaussian(2, 10 * 6 * 9, 1));
        Tensor biases = device.put(DType.BF16, TestTensors.gaussian(3, 30, 1), 3, 10);
        Tensor out = device.empty(DType.F32, 3, 5, 7, 10);
        conv.run(s, x, weight, biases, Epilogue.STORE, out);
        for (int i = 0; i < 3; i++) {
            Tensor one = device.empty(DType.F32, 1, 5, 7, 10);
            conv.run(s.single(), x.slice(i, i + 1), weight, biases.at(i), Epilogue.STORE, one);
            assertThat(device.get(one)).isEqualTo(device.get(out.slice(i, i + 1)));
        }
    }

    @Test
    void aRefusalSaysWhatWasRefused() {
        assumeFalse(TestDevice.isReal(), "skipped: it is the stand-in that refuses wide kernels");
        Conv2dShape s = Conv2dShape.same(1, 8, 8, 2, 3, 7);
        Tensor x = device.put(DType.BF16, new float[128], 1, 8, 8, 2);
        Tensor weight = placed(s, new float[3 * 2 * 49]);
        Tensor out = device.empty(DType.F32, 1, 8, 8, 3);
        int before = descriptors();
        assertThatThrownBy(() -> conv.run(s, x, weight, null, Epilogue.STORE, out))
                .isInstanceOf(DeviceException.class).hasMessageContaining("CUDNN_STATUS_NOT_SUPPORTED")
                .hasMessageContaining("kernel=7").hasMessageNotContaining("\n");
        assertThat(descriptors()).isEqualTo(before);
    }

    @Test
    void closingGivesAllDescriptorsBack() {
        assumeFalse(TestDevice.isReal(), "skipped: it is the stand-in that counts");
        int before = descriptors();
        try (CudnnConv2d own = new CudnnConv2d(device.cuda())) {
            Conv2dShape s = Conv2dShape.same(1, 4, 4, 2, 3, 3);
            own.run(s, device.put(DType.BF16, new float[32], 1, 4, 4, 2), placed(s, new float[3 * 2 * 9]), null,
                    Epilogue.STORE, device.empty(DType.F32, 1, 4, 4, 3));
            assertThat(descriptors()).isEqualTo(before + 4);
        }
        assertThat(descriptors()).isEqualTo(before);
    }

    /** Descriptors that the stand-in has given out. */
    private static int descriptors() {
        try (Arena arena = Arena.ofConfined()) {
            return SymbolLookup.libraryLookup("libcudnn.so.9", arena).findOrThrow("stand_in_descriptors")
                    .reinterpret(Integer.BYTES).get(ValueLayout.JAVA_INT, 0);
        }
    }

    @Test
    void onlyPlacedWeightsAreTaken() {
        Conv2dShape s = Conv2dShape.same(1, 2, 2, 1, 1, 1);
        Tensor x = device.put(DType.BF16, new float[4], 1, 2, 2, 1);
        Tensor weight = device.put(DType.F32, new float[1], 1, 1, 1, 1);
        Tensor out = device.empty(DType.F32, 1, 2, 2, 1);
        assertThatThrownBy(() -> conv.run(s, x, weight, null, Epilogue.STORE, out))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContainingAll("BF16", "F32");
    }

    /** The naive version rounds the convolution to bfloat16 as cuDNN does, and then the output. */
    private static void check(Conv2dShape s, DType xType, DType biasType, DType outType, boolean add) {
        float[] x = TestTensors.gaussian(1, s.batch() * s.height() * s.width() * s.cin(), 1);
        float[] weight = rounded(DType.BF16, TestTensors.gaussian(2, s.cout() * s.cin() * s.kernel() * s.kernel(),
                1 / Math.sqrt(s.cin() * s.kernel() * s.kernel())));
        Tensor bias = add ? null : TestTensors.random(3, biasType, 1, s.cout());
        int size = s.batch() * s.outHeight() * s.outWidth() * s.cout();
        float[] old = rounded(outType, TestTensors.gaussian(4, size, 1));
        Tensor out = device.put(outType, old, s.batch(), s.outHeight(), s.outWidth(), s.cout());
        conv.run(s, device.put(xType, x, s.batch(), s.height(), s.width(), s.cin()), placed(s, weight),
                bias == null ? null : device.put(bias), add ? Epilogue.ADD : Epilogue.STORE, out);
        float[] xs = rounded(DType.BF16, x);
        float[] bs = bias == null ? null : bias.toArray();
        float[] naive = rounded(DType.BF16, Conv2dReference.naive(s, xs, weight, null, null));
        for (int i = 0; i < size; i++) {
            naive[i] += add ? old[i] : bs[i % s.cout()];
        }
        Closeness.check(s + " x " + xType + " out " + outType, device.get(out),
                Conv2dReference.exact(s, xs, weight, bs, add ? old : null), rounded(outType, naive));
    }

    /** Weights [cout, cin, k, k] as they lie on the device: [cout, k, k, cin] of bfloat16. */
    private static Tensor placed(Conv2dShape s, float[] weight) {
        int area = s.kernel() * s.kernel();
        float[] reordered = new float[weight.length];
        for (int i = 0; i < weight.length; i++) {
            int channel = i / area % s.cin();
            reordered[(i / (area * s.cin()) * area + i % area) * s.cin() + channel] = weight[i];
        }
        return device.put(DType.BF16, reordered, s.cout(), s.cin(), s.kernel(), s.kernel());
    }

    private static float[] rounded(DType type, float[] values) {
        return Samples.stored(type, values, values.length).toArray();
    }
}
