package jdiffusion.kernels.conv2d;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.util.Arrays;
import java.util.stream.Stream;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cuda.MainLoop;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Convolutions on a CUDA device, products in bfloat16. */
@OnDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CudaConv2dTest {
    private TestDevice device;
    private CudaConv2d conv;

    @BeforeAll
    void open() {
        device = TestDevice.open();
        conv = new CudaConv2d(device.cuda());
    }

    @AfterAll
    void close() {
        device.close();
    }

    @AfterEach
    void clear() {
        device.clear();
    }

    static Stream<Conv2dShape> ragged() {
        return Stream.concat(Arrays.stream(Conv2dCases.RAGGED), Stream.of(
                // Channels in eights, so that pixels go straight to shared memory.
                Conv2dShape.same(1, 1, 1, 8, 1, 1), Conv2dShape.same(2, 9, 7, 24, 65, 3),
                Conv2dShape.same(1, 5, 4, 72, 10, 1), new Conv2dShape(1, 8, 10, 16, 7, 3, 2, 0, 1),
                new Conv2dShape(2, 9, 7, 40, 6, 3, 2, 1, 1), new Conv2dShape(1, 3, 3, 8, 4, 3, 1, 2, 4),
                Conv2dShape.same(1, 3, 2, 16, 9, 7), Conv2dShape.same(1, 3, 2, 8, 9, 9)))
                .filter(s -> s.flops() < 30e6);
    }

    @ParameterizedTest
    @MethodSource("ragged")
    void raggedSizes(Conv2dShape shape) {
        check(shape, DType.F32, DType.BF16, DType.F32, Epilogue.STORE, 0);
        check(shape, DType.BF16, DType.F32, DType.F32, Epilogue.ADD, 0);
        check(shape, DType.BF16, DType.BF16, DType.BF16, Epilogue.STORE, 0);
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
    void allWeightTypes(DType type) {
        check(Conv2dShape.same(1, 6, 7, 5, 9, 3), type, DType.BF16, DType.F32, Epilogue.STORE, 0);
        check(Conv2dShape.same(1, 6, 7, 8, 9, 3), type, DType.BF16, DType.F32, Epilogue.ADD, 0);
    }

    @Test
    void inputAndOutputMayHaveGapsBetweenPixels() {
        for (int gaps : new int[] {3, 8}) {
            check(new Conv2dShape(2, 5, 7, 16, 10, 3, 2, 1, 1), DType.F32, DType.BF16, DType.F32, Epilogue.STORE, gaps);
            check(Conv2dShape.same(2, 5, 7, 16, 10, 3), DType.F32, DType.F32, DType.BF16, Epilogue.ADD, gaps);
        }
    }

    /** 98 blocks of the large tile and of the broad tile, with edges. */
    @ParameterizedTest
    @ValueSource(ints = {72, 129})
    void manyPixelsTakeTheLargerTiles(int channels) {
        check(Conv2dShape.same(2, 79, 79, 8, channels, 3), DType.F32, DType.BF16, DType.BF16, Epilogue.STORE, 0);
    }

    /** Patches are gathered in whole sectors and reach shared memory without conflicts, whatever the size. */
    @ParameterizedTest
    @CsvSource({"128, conv2d_large", "256, conv2d_broad"})
    void gatheringPatchesCostsNothing(int channels, String kernel) {
        assumeFalse(TestDevice.isReal(), "only the emulated device counts");
        device.close();
        try (TestDevice counting = TestDevice.profiling()) {
            Conv2dShape s = Conv2dShape.same(1, 111, 113, 32, channels, 3);
            Tensor weight = counting.put(TestTensors.random(2, DType.BF16, 1, channels, 32, 3, 3));
            new CudaConv2d(counting.cuda()).run(s, counting.put(TestTensors.random(1, DType.BF16, 1, 1, 111, 113, 32)),
                    weight, null, Epilogue.STORE, counting.empty(DType.BF16, 1, 111, 113, channels));
            counting.cuda().synchronize();
            KernelCounters counters = counting.counters().get(kernel);
            assertThat((double) counters.traffic().globalSectors / counters.traffic().globalIdealSectors).as("sectors")
                    .isLessThanOrEqualTo(1.1);
            MainLoop loop = MainLoop.of(counters);
            assertThat(counters.traffic().sharedConflictCycles).as("cycles lost to bank conflicts").isZero();
            assertThat(loop.usefulShare()).as(loop.toString()).isGreaterThanOrEqualTo(0.85);
        } finally {
            open();
        }
    }

    /** Nor do those of few pixels, and patches and weights that are gathered element by element. */
    @ParameterizedTest
    @CsvSource({"32, 24, conv2d_small", "16, 3, conv2d_small", "3, 16, conv2d_gather", "5, 7, conv2d_gather"})
    void smallTilesHaveNoConflicts(int in, int out, String kernel) {
        assumeFalse(TestDevice.isReal(), "only the emulated device counts");
        device.close();
        try (TestDevice counting = TestDevice.profiling()) {
            Tensor bias = counting.put(TestTensors.random(3, DType.F32, 1, out));
            new CudaConv2d(counting.cuda()).run(Conv2dShape.same(1, 13, 11, in, out, 3),
                    counting.put(TestTensors.random(1, DType.BF16, 1, 1, 13, 11, in)),
                    counting.put(TestTensors.random(2, DType.BF16, 1, out, in, 3, 3)), bias, Epilogue.STORE,
                    counting.empty(DType.BF16, 1, 13, 11, out));
            counting.cuda().synchronize();
            assertThat(counting.counters().get(kernel).traffic().sharedConflictCycles)
                    .as("cycles lost to bank conflicts").isZero();
        } finally {
            open();
        }
    }

    @Test
    void resultsDoNotDependOnTheBatch() {
        Conv2dShape three = Conv2dShape.same(3, 11, 13, 64, 20, 3);
        Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, 3, 11, 13, 64));
        Tensor weight = place(TestTensors.random(2, DType.BF16, 1, 20, 64, 3, 3));
        Tensor out = device.empty(DType.F32, 3, 11, 13, 20);
        conv.run(three, x, weight, null, Epilogue.STORE, out);
        Tensor second = device.empty(DType.F32, 1, 11, 13, 20);
        conv.run(Conv2dShape.same(1, 11, 13, 64, 20, 3), x.slice(1, 2), weight, null, Epilogue.STORE, second);
        assertThat(device.get(second)).isEqualTo(device.get(out.slice(1, 2)));
    }

    @Test
    void whatDoesNotFitIsNamed() {
        Conv2dShape s = Conv2dShape.same(1, 4, 4, 2, 3, 3);
        Tensor x = Tensor.of(new float[32], 1, 4, 4, 2);
        Tensor out = Tensor.of(new float[48], 1, 4, 4, 3);
        assertThatThrownBy(() -> conv.run(s, x, Tensor.of(new float[54], 2, 3, 3, 3), null, Epilogue.STORE, out))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContainingAll("conv2d", "[2, 3, 3, 3]");
        assertThatThrownBy(() -> conv.run(s, x, Tensor.of(new float[54], 3, 2, 3, 3), null, Epilogue.STORE, out))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("not placed");
        assertThatThrownBy(() -> CudaConv2d.place(device.cuda(), Tensor.of(new float[54], 3, 2, 3, 3), out))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContainingAll("[3, 2, 3, 3]", "[1, 4, 4, 3]");
    }

    /** Images that end inside of a tile, and others that take several; as if each were convolved on its own. */
    @Test
    void everyImageMayHaveABiasOfItsOwn() {
        for (Conv2dShape s : new Conv2dShape[] {Conv2dShape.same(3, 5, 7, 16, 70, 3), Conv2dShape.same(5, 2, 3, 8, 9, 1),
            Conv2dShape.same(2, 11, 13, 5, 20, 3), Conv2dShape.same(2, 79, 79, 8, 129, 3)}) {
            Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, s.batch(), s.height(), s.width(), s.cin()));
            Tensor weight = place(TestTensors.random(2, DType.BF16, 0.2, s.cout(), s.cin(), s.kernel(), s.kernel()));
            Tensor biases = device.put(TestTensors.random(3, DType.F16, 1, s.batch(), s.cout() + 3))
                    .columns(2, s.cout() + 2);
            Tensor out = device.empty(DType.F32, s.batch(), s.outHeight(), s.outWidth(), s.cout());
            conv.run(s, x, weight, biases, Epilogue.STORE, out);
            for (int i = 0; i < s.batch(); i++) {
                Tensor one = device.empty(DType.F32, 1, s.outHeight(), s.outWidth(), s.cout());
                conv.run(s.single(), x.slice(i, i + 1), weight, biases.at(i), Epilogue.STORE, one);
                assertThat(device.get(one)).as("%s, image %d", s, i).isEqualTo(device.get(out.slice(i, i + 1)));
            }
            device.clear();
        }
    }

    private Tensor place(Tensor stored) {
        Tensor placed = device.empty(DType.BF16, stored.shape().dims());
        CudaConv2d.place(device.cuda(), device.put(stored), placed);
        return placed;
    }

    private void check(Conv2dShape s, DType weightType, DType xType, DType outType, Epilogue epilogue, int gaps) {
        boolean add = epilogue.mode() == Epilogue.Mode.ADD;
        Tensor weight = TestTensors.random(2, weightType, 1 / Math.sqrt(s.cin() * s.kernel() * s.kernel()), s.cout(),
                s.cin(), s.kernel(), s.kernel());
        Tensor x = device.put(TestTensors.random(1, xType, 1, s.batch(), s.height(), s.width(), s.cin() + gaps))
                .columns(gaps, s.cin() + gaps);
        Tensor bias = add ? null : device.put(TestTensors.random(3, weightType, 1, s.cout()));
        Tensor out = device.put(TestTensors.random(4, outType, 1, s.batch(), s.outHeight(), s.outWidth(),
                s.cout() + gaps)).columns(0, s.cout());
        float[] old = add ? device.get(out) : null;
        conv.run(s, x, place(weight), bias, epilogue, out);
        float[] xs = rounded(DType.BF16, device.get(x));
        float[] ws = rounded(DType.BF16, weight.toArray());
        float[] bs = bias == null ? null : device.get(bias);
        Closeness.check(s + " of " + x + " to " + out, device.get(out), Conv2dReference.exact(s, xs, ws, bs, old),
                rounded(outType, Conv2dReference.naive(s, xs, ws, bs, old)));
        device.clear();
    }

    private static float[] rounded(DType type, float[] values) {
        return type == DType.F32 ? values : Samples.stored(type, values, values.length).toArray();
    }
}
