package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.util.List;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cuda.MainLoop;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;

/** What the emulated device counts of layers of the medium transformer. */
@OnDevice
class CudaLinearCountersTest {
    /**
     * [4096, 1536] by [1536, 1536]. All blocks make whole tiles and count alike, so those of the first quarter of the
     * rows stand for all, and some rounds of the loop for its 48.
     */
    @Test
    void theMainLoopIsTensorCoresAndTheirSupply() {
        int m = 4096 / 4;
        int k = 544;
        int n = 1536;
        KernelCounters counters = run("linear_bf16_large", m, k, n, DType.BF16);
        assertThat(counters.mmaFlops()).isEqualTo(2L * m * n * k);
        assertThat(sectors(counters)).as("sectors").isLessThanOrEqualTo(1.1);
        assertThat(counters.traffic().globalBytesWritten).as("out is written once").isEqualTo(2L * m * n);
        MainLoop loop = MainLoop.of(counters);
        assertThat(loop.conflictCycles()).as("cycles lost to bank conflicts").isZero();
        assertThat(loop.usefulShare()).as(loop.toString()).isGreaterThanOrEqualTo(0.85);
    }

    /**
     * Queries, keys and values of a block for some rows, which the broad tile makes, and for half of them, which the
     * large one makes, with a part of k. A warp of the broad one loads 8 fragments for 32 products where one of the
     * large one loads 6 for 16, and a block 384 rows of operands where two blocks load 512.
     */
    @Test
    void theBroadTileTakesLessOfSharedMemoryAndTheCache() {
        int k = 352;
        KernelCounters counters = run("linear_bf16_broad", 768, k, 4608, DType.BF16);
        assertThat(counters.mmaFlops()).isEqualTo(2L * 768 * k * 4608);
        assertThat(sectors(counters)).as("sectors").isLessThanOrEqualTo(1.1);
        assertThat(counters.traffic().globalBytesWritten).as("out is written once").isEqualTo(2L * 768 * 4608);
        MainLoop broad = MainLoop.of(counters);
        KernelCounters half = run("linear_bf16_large", 384, k, 4608, DType.BF16);
        MainLoop large = MainLoop.of(half);
        assertThat(broad.conflictCycles()).as("cycles lost to bank conflicts").isZero();
        assertThat(broad.usefulShare()).as(broad.toString()).isGreaterThanOrEqualTo(0.85);
        assertThat(broad.wavefrontsPerMegaflop() / large.wavefrontsPerMegaflop()).as("cycles of shared memory")
                .isCloseTo(44 / 64.0, within(1e-9));
        assertThat(bytesReadPerFlop(counters) / bytesReadPerFlop(half)).as("bytes of the L2 cache")
                .isCloseTo(24 / 32.0, within(0.01));
    }

    /** The modulation of a block for two pictures: all that counts is that the weights pass once, in whole sectors. */
    @Test
    void fewRowsReadTheWeightsOnce() {
        int k = 1536;
        int n = 9216;
        KernelCounters counters = run("linear_bf16_small", 2, k, n, DType.BF16);
        assertThat(sectors(counters)).as("sectors").isLessThanOrEqualTo(1.1);
        assertThat((double) counters.traffic().globalBytesRead / (2L * n * k)).as("bytes read for each of the weights")
                .isLessThan(1.1);
        assertThat(MainLoop.of(counters).conflictCycles()).as("cycles lost to bank conflicts").isZero();
    }

    /** Weights of 8 bits are converted on their way, without conflicts either. */
    @Test
    void convertedWeightsReachSharedMemoryWithoutConflicts() {
        KernelCounters counters = run("linear_bf16_w_small", 64, 256, 256, DType.F8_E4M3);
        assertThat(sectors(counters)).as("sectors").isLessThanOrEqualTo(1.1);
        assertThat(MainLoop.of(counters).conflictCycles()).as("cycles lost to bank conflicts").isZero();
    }

    /**
     * Products of float8: a tile of the ring holds twice the k of bfloat16's in the same bytes, so a product takes half
     * the cycles of shared memory and half the bytes of the cache.
     */
    @Test
    void float8TakesHalfOfSharedMemoryAndTheCache() {
        int m = 384;
        int n = 4608;
        int k = 320;
        KernelCounters wide = run("linear_bf16_large", m, k / 2, n, DType.BF16);
        KernelCounters narrow = float8("linear_fp8_e4m3_large", m, k, n);
        assertThat(narrow.mmaFlops()).isEqualTo(2L * m * n * k);
        assertThat(sectors(narrow)).as("sectors").isLessThanOrEqualTo(1.1);
        MainLoop loop = MainLoop.of(narrow);
        assertThat(loop.conflictCycles()).as("cycles lost to bank conflicts").isZero();
        assertThat(loop.usefulShare()).as(loop.toString()).isGreaterThanOrEqualTo(0.85);
        assertThat(loop.wavefrontsPerMegaflop() / MainLoop.of(wide).wavefrontsPerMegaflop())
                .as("cycles of shared memory").isCloseTo(0.5, within(1e-9));
        assertThat(bytesReadPerFlop(narrow) / bytesReadPerFlop(wide)).as("bytes of the L2 cache")
                .isCloseTo(0.5, within(0.01));
        MainLoop broad = MainLoop.of(float8("linear_fp8_e4m3_broad", 768, 256, n));
        assertThat(broad.conflictCycles()).as("cycles lost to bank conflicts").isZero();
        assertThat(broad.wavefrontsPerMegaflop() / loop.wavefrontsPerMegaflop()).isCloseTo(44 / 64.0, within(1e-9));
        for (int rows : new int[] {2, 64}) {
            assertThat(MainLoop.of(float8("linear_fp8_e4m3_small", rows, 1536, 576)).conflictCycles()).isZero();
        }
        assertThat(MainLoop.of(float8("linear_fp8_e4m3_any_small", 64, 520, 256)).conflictCycles())
                .as("rows that are no whole chunks").isZero();
    }

    private static KernelCounters float8(String kernel, int m, int k, int n) {
        assumeFalse(TestDevice.isReal(), "only the emulated device counts");
        try (TestDevice device = TestDevice.profiling(89)) {
            Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, m, k));
            Weight w = Weight.of(device.put(TestTensors.random(2, DType.F8_E4M3, 1, n, k)));
            new CudaLinear(device.cuda(), true).run(List.of(new LinearCall(x, w, null, Epilogue.STORE,
                    device.empty(DType.BF16, m, n))));
            device.cuda().synchronize();
            assertThat(device.counters()).containsOnlyKeys("quantise_rows", kernel);
            assertThat(sectors(device.counters().get("quantise_rows"))).isLessThanOrEqualTo(1.1);
            return device.counters().get(kernel);
        }
    }

    private static double bytesReadPerFlop(KernelCounters counters) {
        return 32.0 * counters.traffic().globalSectorsRead / counters.mmaFlops();
    }

    private static double sectors(KernelCounters counters) {
        return (double) counters.traffic().globalSectors / counters.traffic().globalIdealSectors;
    }

    private static KernelCounters run(String kernel, int m, int k, int n, DType weights) {
        assumeFalse(TestDevice.isReal(), "only the emulated device counts");
        try (TestDevice device = TestDevice.profiling()) {
            Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, m, k));
            Weight w = Weight.of(device.put(TestTensors.random(2, weights, 1, n, k)));
            Tensor bias = device.put(TestTensors.random(3, DType.BF16, 1, n));
            Tensor out = device.empty(DType.BF16, m, n);
            new CudaLinear(device.cuda()).run(List.of(new LinearCall(x, w, bias, Epilogue.STORE, out)));
            device.cuda().synchronize();
            assertThat(device.counters()).containsOnlyKeys(kernel);
            return device.counters().get(kernel);
        }
    }
}
