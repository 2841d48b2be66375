package jdiffusion.kernels.linear;

import static jdiffusion.kernels.linear.SampledLinear.factors;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.DeviceException;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cuda.KernelSource;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.PlantedFault;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Pairs of blocks that share weights, on compute capability 9.0, beside blocks that bring all their operands. */
@OnDevice
class CudaPairedLinearTest {
    private static final String FILE = "linear/linear_bf16_sm90";
    private static final String KERNEL = "linear_bf16_sm90_pair_large";
    private static final Pattern BOTH_RANKS = Pattern.compile("mov\\.[bu]16\\s+%rs\\d+, 3;");

    private static TestDevice open(KernelSource kernels, long seed) {
        TestDevice device = TestDevice.sm90(DType.BF16, kernels, seed);
        if (!device.cuda().takesSm90()) {
            device.close();
            assumeTrue(false, "a card of another compute capability");
        }
        return device;
    }

    /** Single tiles, two, three, whose last pair has one of them; several rounds of two pairs. */
    @ParameterizedTest
    @ValueSource(ints = {1, 128, 129, 300, 384})
    void theBitsOfSingleBlocks(int m) {
        try (TestDevice device = open(KernelSource.BUILT_IN, 0)) {
            CudaMappedLinear mapped = new CudaMappedLinear(device.cuda(), 4);
            Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, m, 456));
            Tensor w = device.put(TestTensors.random(2, DType.BF16, 1, 520, 456));
            Tensor bias = device.put(TestTensors.random(3, DType.F32, 1, 520));
            float[] old = Samples.normal(4, (long) m * 520, 0, 1);
            List<float[]> sums = new ArrayList<>();
            List<float[]> gated = new ArrayList<>();
            for (GemmTile tile : GemmTile.values()) {
                if (!tile.label().startsWith("sm90")) {
                    continue;
                }
                Tensor out = device.put(DType.F32, old, m, 520);
                mapped.launch(factors(List.of(new LinearCall(x, Weight.of(w), bias, Epilogue.ADD, out))), tile);
                sums.add(device.get(out));
                if (tile.cols() == 256) {
                    Tensor half = device.empty(DType.F32, m, 260);
                    mapped.launchGated(x, w, null, null, bias, Activation.SILU, half, tile);
                    gated.add(device.get(half));
                }
            }
            assertThat(sums).hasSize(4).allSatisfy(each -> assertThat(each).isEqualTo(sums.getFirst()));
            assertThat(gated).hasSize(2).allSatisfy(each -> assertThat(each).isEqualTo(gated.getFirst()));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {130, 257})
    void theBitsOfSingleBlocksInFloat8(int m) {
        try (TestDevice device = open(KernelSource.BUILT_IN, 0)) {
            CudaMappedLinear mapped = new CudaMappedLinear(device.cuda(), 4);
            Tensor x = device.put(TestTensors.random(1, DType.F8_E4M3, 1, m, 1040));
            Tensor w = device.put(TestTensors.random(2, DType.F8_E4M3, 1, 400, 1040));
            Tensor scales = device.put(TestTensors.random(3, DType.F32, 1, m));
            Tensor wide = device.empty(DType.BF16, m, 1040);
            List<float[]> sums = new ArrayList<>();
            for (GemmTile tile : List.of(GemmTile.WARPGROUP_LARGE, GemmTile.WARPGROUP_PAIR_LARGE)) {
                Tensor out = device.empty(DType.F32, m, 400);
                mapped.launchFloat8(List.of(CudaMappedLinear.Factors.ofFloat8(
                        new LinearCall(wide, Weight.of(w), null, Epilogue.STORE, out),
                        new CudaFloat8.Rows(x, scales), 0.25f, null, null)), tile);
                sums.add(device.get(out));
            }
            assertThat(sums.getLast()).isEqualTo(sums.getFirst());
            assertThat(device.cuda().kernelNames()).contains("linear_fp8_e4m3_sm90_large",
                    "linear_fp8_e4m3_sm90_pair_large");
        }
    }

    /** Whenever copies land, and in whatever order blocks of a pair and their warps run. */
    @Test
    void theSeedChangesNothing() {
        assumeFalse(TestDevice.isReal(), "only the emulated device has seeds");
        List<float[]> products = new ArrayList<>();
        for (long seed = 0; seed < 5; seed++) {
            try (TestDevice device = open(KernelSource.BUILT_IN, seed)) {
                products.add(product(device));
            }
        }
        assertThat(products).allSatisfy(each -> assertThat(each).isEqualTo(products.getFirst()));
    }

    /** Three rounds of two pairs, the ring goes round in each; odd numbers of tiles. */
    private static float[] product(TestDevice device) {
        Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, 300, 520));
        Weight w = Weight.of(device.put(TestTensors.random(2, DType.BF16, 1, 300, 520)));
        Tensor out = device.empty(DType.F32, 300, 300);
        new CudaMappedLinear(device.cuda(), 4).launch(factors(List.of(new LinearCall(x, w, null, Epilogue.STORE, out))),
                GemmTile.WARPGROUP_PAIR_LARGE);
        return device.get(out);
    }

    /** Bytes from the L2 cache for a product: 32 of a stage's 48 KiB, 24 of 32. A multicast is fetched once. */
    @Test
    void aPairTakesLessOfTheCache() {
        assumeFalse(TestDevice.isReal(), "only the emulated device counts");
        try (TestDevice device = TestDevice.profiling(90)) {
            CudaMappedLinear mapped = new CudaMappedLinear(device.cuda(), 4);
            Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, 512, 320));
            Tensor w = device.put(TestTensors.random(2, DType.BF16, 1, 512, 320));
            LinearCall call = new LinearCall(x, Weight.of(w), null, Epilogue.STORE,
                    device.empty(DType.BF16, 512, 512));
            for (GemmTile tile : GemmTile.values()) {
                if (tile.label().startsWith("sm90")) {
                    mapped.launch(factors(List.of(call)), tile);
                }
            }
            Tensor half = device.empty(DType.BF16, 512, 256);
            mapped.launchGated(x, w, null, null, null, Activation.SILU, half, GemmTile.WARPGROUP_BROAD);
            mapped.launchGated(x, w, null, null, null, Activation.SILU, half, GemmTile.WARPGROUP_PAIR_BROAD);
            Tensor narrow = device.put(TestTensors.random(3, DType.F8_E4M3, 1, 512, 640));
            Tensor scales = device.put(TestTensors.random(3, DType.F32, 1, 512));
            Tensor wide = device.empty(DType.BF16, 512, 640);
            for (GemmTile tile : List.of(GemmTile.WARPGROUP_LARGE, GemmTile.WARPGROUP_PAIR_LARGE)) {
                mapped.launchFloat8(List.of(CudaMappedLinear.Factors.ofFloat8(new LinearCall(wide, Weight.of(narrow),
                        null, Epilogue.STORE, call.out()), new CudaFloat8.Rows(narrow, scales), 1, null,
                        null)), tile);
            }
            device.cuda().synchronize();
            for (String product : List.of("bf16", "bf16_gated")) {
                assertThat(bytesPerFlop(device, product, "pair_broad") / bytesPerFlop(device, product, "broad"))
                        .as(product).isCloseTo(32 / 48.0, within(1e-9));
            }
            assertThat(bytesPerFlop(device, "bf16", "broad")).isCloseTo(1 / 85.3, within(1e-4));
            for (String product : List.of("bf16", "fp8_e4m3")) {
                assertThat(bytesPerFlop(device, product, "pair_large") / bytesPerFlop(device, product, "large"))
                        .as(product).isCloseTo(24 / 32.0, within(0.01));
            }
        }
    }

    private static double bytesPerFlop(TestDevice device, String product, String tile) {
        KernelCounters counters = device.counters().get("linear_" + product + "_sm90_" + tile);
        return 32.0 * counters.traffic().globalSectorsRead / counters.mmaFlops();
    }

    /** A release of a stage, and the wait for the other block at the end. */
    @ParameterizedTest
    @CsvSource({"mbarrier.arrive.release.cluster, 0, DEADLOCK", "mbarrier.arrive.release.cluster, 1, DEADLOCK",
        "barrier.cluster.wait, 1, PEER"})
    void whatIsMissingIsNoticed(String instruction, int number, String fault) {
        assertNoticed(PlantedFault.without(FILE, KERNEL, instruction, number), fault);
    }

    /** Before the first copy, and after the last release. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    void aBarrierOfTheBlockInThePlaceOfTheClustersIsNoticed(int number) {
        KernelSource waiting = PlantedFault.with(KernelSource.BUILT_IN, FILE, KERNEL, "barrier.cluster.arrive", number,
                number == 0 ? "bar.sync 0;" : "bar.sync 1, 256;");
        assertNoticed(PlantedFault.without(waiting, FILE, KERNEL, "barrier.cluster.wait", number), "PEER");
    }

    /** Both arrivals of a release at the block's own barrier. */
    @Test
    void aProducerThatDoesNotWaitForTheOtherBlockIsNoticed() {
        String ptx = KernelSource.BUILT_IN.ptx(FILE);
        Matcher release = Pattern.compile("mapa\\.shared::cluster\\.u32 (%r\\d+), (%r\\d+), ").matcher(ptx);
        assertThat(release.find(ptx.indexOf(".visible .entry " + KERNEL + "("))).isTrue();
        assertNoticed(PlantedFault.with(KernelSource.BUILT_IN, FILE, KERNEL, release.group(), 0,
                "mov.u32 " + release.group(1) + ", " + release.group(2) + ";"), "SHARED_RACE|UNFINISHED_COPY");
    }

    /** Ranks 0 and 1 are 3; one alone leaves the other block without its half. */
    @ParameterizedTest
    @CsvSource({"1, DEADLOCK", "2, DEADLOCK", "7, OUT_OF_BOUNDS"})
    void aMulticastToOtherRanksIsNoticed(int ranks, String fault) {
        String ptx = KernelSource.BUILT_IN.ptx(FILE);
        int at = ptx.indexOf(".visible .entry " + KERNEL + "(");
        Matcher both = BOTH_RANKS.matcher(ptx);
        assertThat(both.find(at)).isTrue();
        assertNoticed(PlantedFault.with(KernelSource.BUILT_IN, FILE, KERNEL, both.group(), 0,
                both.group().replace("3;", ranks + ";")), fault);
    }

    private static void assertNoticed(KernelSource kernels, String faults) {
        assumeFalse(TestDevice.isReal(), "only the emulated device checks");
        try (TestDevice device = open(kernels, 0)) {
            assertThatThrownBy(() -> product(device)).isInstanceOf(DeviceException.class)
                    .hasMessageFindingMatch("(" + faults + ") in kernel " + KERNEL);
        }
    }
}
