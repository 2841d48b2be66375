package jdiffusion.kernels.linear;

import static jdiffusion.kernels.linear.SampledLinear.check;
import static jdiffusion.kernels.linear.SampledLinear.factors;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.DeviceException;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Epilogue.Mode;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cuda.KernelSource;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.PlantedFault;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Linear layers by the kernels of compute capability 9.0. */
@OnDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CudaMappedLinearTest {
    private static final List<GemmTile> TILES = List.of(GemmTile.WARPGROUP_BROAD, GemmTile.WARPGROUP_LARGE,
            GemmTile.WARPGROUP_PAIR_BROAD, GemmTile.WARPGROUP_PAIR_LARGE);
    /** Whole chunks of 8 of k, as the maps want rows; around the edges of tiles and stages. */
    private static final List<LinearCase> RAGGED = List.of(new LinearCase(1, 8, 8, DType.BF16),
            new LinearCase(63, 64, 65, DType.BF16), new LinearCase(65, 104, 63, DType.BF16),
            new LinearCase(129, 328, 257, DType.BF16), new LinearCase(140, 72, 136, DType.BF16));

    private TestDevice device;

    @BeforeAll
    void open() {
        device = TestDevice.sm90(DType.BF16, KernelSource.BUILT_IN, 0);
        assumeTrue(device.cuda().takesSm90(), "a card of another compute capability");
    }

    @AfterAll
    void close() {
        device.close();
    }

    @AfterEach
    void clear() {
        device.clear();
    }

    @ParameterizedTest
    @EnumSource(names = {"WARPGROUP_BROAD", "WARPGROUP_LARGE", "WARPGROUP_PAIR_BROAD", "WARPGROUP_PAIR_LARGE"})
    void raggedSizes(GemmTile tile) {
        CudaMappedLinear linear = new CudaMappedLinear(device.cuda());
        for (LinearCase c : RAGGED) {
            check(device, calls -> linear.launch(factors(calls), tile), LinearSample.of(c));
            check(device, calls -> linear.launch(factors(calls), tile), LinearSample.of(c).out(DType.BF16).gaps(8));
        }
    }

    @ParameterizedTest
    @EnumSource
    void activationsInEveryMode(Activation activation) {
        LinearSample sample = LinearSample.of(new LinearCase(70, 40, 72, DType.BF16)).activation(activation);
        for (Mode mode : Mode.values()) {
            for (DType out : new DType[] {DType.F32, DType.BF16}) {
                check(device, this::large, sample.mode(mode).out(out));
                check(device, this::large, sample.mode(mode).out(out).gaps(8));
            }
        }
        check(device, this::large, sample.mode(Mode.ADD).gate(2).bias(null));
    }

    private void large(List<LinearCall> calls) {
        new CudaMappedLinear(device.cuda()).launch(factors(calls), GemmTile.WARPGROUP_LARGE);
    }

    /** Of rows that are read four at a time and of others. */
    @Test
    void gatesFollowTheirRunsOfRows() {
        for (int batch : new int[] {1, 2, 3, 78}) {
            for (int n : new int[] {130, 132}) {
                check(device, this::large, LinearSample.of(new LinearCase(78, 24, n, DType.BF16)).mode(Mode.ADD)
                        .gate(batch).gaps(n == 130 ? 0 : 8));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "F8_E4M3", "F8_E5M2"})
    void everyTypeOfBias(DType type) {
        check(device, this::large, LinearSample.of(new LinearCase(70, 40, 33, DType.BF16)).bias(type));
    }

    @Test
    void blocksGoThroughSeveralTilesOfSeveralLayers() {
        List<LinearCall> calls = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            int m = 30 + 50 * i;
            int k = 64 + 40 * (i % 5);
            int n = 300 - 24 * i;
            Tensor x = device.put(TestTensors.random(i, DType.BF16, 1, m, k));
            Weight w = Weight.of(device.put(TestTensors.random(50 + i, DType.BF16, 1, n, k)));
            calls.add(new LinearCall(x, w, null, Epilogue.activate(Activation.values()[i % 5]),
                    device.empty(DType.F32, m, n)));
        }
        long before = device.cuda().launches();
        new CudaMappedLinear(device.cuda(), 3).run(factors(calls));
        assertThat(device.cuda().launches() - before).as("6 and 6 layers").isEqualTo(2);
        for (LinearCall call : calls) {
            for (GemmTile tile : TILES) {
                LinearCall alone = new LinearCall(call.x(), call.w(), null, call.epilogue(),
                        device.empty(DType.F32, call.m(), call.n()));
                new CudaMappedLinear(device.cuda()).launch(factors(List.of(alone)), tile);
                assertThat(device.get(call.out())).as(call + " alone with tile " + tile)
                        .isEqualTo(device.get(alone.out()));
            }
        }
    }

    @Test
    void rowsDoNotDependOnThoseBesideThem() {
        Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, 300, 136));
        Weight w = Weight.of(device.put(TestTensors.random(2, DType.BF16, 1, 260, 136)));
        Tensor whole = device.empty(DType.F32, 300, 260);
        new CudaMappedLinear(device.cuda(), 2).launch(factors(List.of(new LinearCall(x, w, null, Epilogue.STORE, whole))),
                GemmTile.WARPGROUP_BROAD);
        for (int row : new int[] {0, 100, 299}) {
            Tensor part = device.empty(DType.F32, 1, 260);
            new CudaMappedLinear(device.cuda()).launch(
                    factors(List.of(new LinearCall(x.slice(row, row + 1), w, null, Epilogue.STORE, part))),
                    GemmTile.WARPGROUP_BROAD);
            assertThat(device.get(part)).isEqualTo(device.get(whole.slice(row, row + 1)));
        }
    }

    @Test
    void gatedLayers() {
        for (LinearCase c : List.of(new LinearCase(1, 8, 8, DType.BF16), new LinearCase(130, 72, 131, DType.BF16),
                new LinearCase(140, 136, 264, DType.BF16))) {
            for (DType out : new DType[] {DType.F32, DType.BF16}) {
                Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, c.m(), c.k()));
                Tensor w = device.put(TestTensors.random(2, DType.BF16, 1 / Math.sqrt(c.k()), 2 * c.n(), c.k()));
                Tensor bias = out == DType.F32 ? null : device.put(TestTensors.random(3, DType.F16, 1, 2 * c.n()));
                Tensor y = device.empty(out, c.m(), c.n());
                for (GemmTile tile : List.of(GemmTile.WARPGROUP_BROAD, GemmTile.WARPGROUP_PAIR_BROAD)) {
                    new CudaMappedLinear(device.cuda(), 2).launchGated(x, w, null, null, bias, Activation.GELU_ERF, y,
                            tile);
                    GatedLinearReference.check(c + " to " + out + " by " + tile, c, device.get(x), device.get(w),
                            bias == null ? null : device.get(bias), Activation.GELU_ERF, device.get(y), out);
                }
            }
        }
    }

    /** Layers that fill a card; others, and rows that the TMA does not take, run the kernels of all cards. */
    @Test
    void layersThatFillACardComeHere() {
        device.close();
        try (TestDevice other = TestDevice.sm90(DType.BF16, KernelSource.BUILT_IN, 0)) {
            CudaLinear linear = new CudaLinear(other.cuda());
            check(other, linear::run, LinearSample.of(new LinearCase(1100, 24, 1290, DType.BF16)).gaps(3));
            check(other, linear::run, LinearSample.of(new LinearCase(9, 24, 40, DType.BF16)));
            assertThat(other.cuda().kernelNames()).noneMatch(name -> name.contains("sm90"));
            check(other, linear::run, LinearSample.of(new LinearCase(1100, 24, 1290, DType.BF16)).mode(Mode.ADD));
            Tensor x = other.put(TestTensors.random(1, DType.BF16, 1, 1100, 24));
            Weight w = Weight.of(other.put(TestTensors.random(2, DType.BF16, 1, 2 * 648, 24)));
            new CudaGatedLinear(other.cuda(), linear).run(x, w, null, Activation.SILU,
                    other.empty(DType.BF16, 1100, 648));
            check(other, linear::run, LinearSample.of(new LinearCase(128, 24, 12280, DType.BF16)));
            assertThat(other.cuda().kernelNames()).contains("linear_bf16_sm90_large", "linear_bf16_sm90_pair_large",
                    "linear_bf16_gated_sm90_pair_broad");
        } finally {
            open();
        }
    }

    @Test
    void operandsOfFloat16() {
        device.close();
        try (TestDevice half = TestDevice.sm90(DType.F16, KernelSource.BUILT_IN, 0)) {
            for (GemmTile tile : TILES) {
                check(half, calls -> new CudaMappedLinear(half.cuda()).launch(factors(calls), tile),
                        LinearSample.of(new LinearCase(70, 72, 264, DType.F16)).operand(DType.F16).x(DType.F16)
                                .out(DType.F16).activation(Activation.GELU_TANH));
            }
        } finally {
            open();
        }
    }

    /** Whenever copies land and in whatever order warps run. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void theSeedChangesNothing(long seed) {
        assumeFalse(TestDevice.isReal(), "only the emulated device has seeds");
        float[] expected = product(device);
        device.close();
        try (TestDevice other = TestDevice.sm90(DType.BF16, KernelSource.BUILT_IN, seed)) {
            assertThat(product(other)).isEqualTo(expected);
        } finally {
            open();
        }
    }

    /** Each of the kernel's waits for products, fences and releases of stages, left out, is noticed. */
    @ParameterizedTest
    @CsvSource({"wgmma.wait_group, 0, UNFINISHED_COPY", "wgmma.wait_group, 1, UNFINISHED_PRODUCT",
        "wgmma.fence, 0, MISSING_FENCE", "mbarrier.arrive.shared, 0, DEADLOCK"})
    void whatIsMissingIsNoticed(String instruction, int number, String fault) {
        assumeFalse(TestDevice.isReal(), "only the emulated device checks");
        KernelSource kernels = PlantedFault.without("linear/linear_bf16_sm90", "linear_bf16_sm90_large", instruction,
                number);
        device.close();
        try (TestDevice other = TestDevice.sm90(DType.BF16, kernels, 0)) {
            Tensor x = other.put(TestTensors.random(1, DType.BF16, 1, 70, 456));
            Weight w = Weight.of(other.put(TestTensors.random(2, DType.BF16, 1, 200, 456)));
            LinearCall call = new LinearCall(x, w, null, Epilogue.STORE, other.empty(DType.F32, 70, 200));
            assertThatThrownBy(() -> new CudaMappedLinear(other.cuda(), 1).launch(factors(List.of(call)),
                    GemmTile.WARPGROUP_LARGE)).isInstanceOf(DeviceException.class)
                    .hasMessageContaining(fault + " in kernel linear_bf16_sm90_large");
        } finally {
            open();
        }
    }

    /** Several tiles for each block, so that a ring goes round while sums are stored. */
    private static float[] product(TestDevice device) {
        Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, 400, 456));
        Weight w = Weight.of(device.put(TestTensors.random(2, DType.BF16, 1, 520, 456)));
        Tensor bias = device.put(TestTensors.random(3, DType.F32, 1, 520));
        Tensor out = device.put(TestTensors.random(4, DType.F32, 1, 400, 520));
        new CudaMappedLinear(device.cuda(), 2).launch(
                factors(List.of(new LinearCall(x, w, bias, Epilogue.ADD, out))), GemmTile.WARPGROUP_BROAD);
        return device.get(out);
    }
}
