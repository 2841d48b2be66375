package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.util.ArrayList;
import java.util.List;
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
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The same by the kernel of compute capability 9.0, and what only that one does. */
@OnDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CudaMappedFloat8LinearTest extends CudaFloat8LinearTest {
    private static final String KERNEL = "linear_fp8_e4m3_sm90_large";

    @Override
    int capability() {
        return 90;
    }

    /** One stage's sums are those of the cards whose {@code mma} multiplies float8. */
    @Test
    void aSingleStageGivesTheBitsOfOtherCards() {
        assumeFalse(TestDevice.isReal(), "two devices");
        Tensor out = device.empty(DType.F32, 70, 130);
        linear.run(List.of(call(device, 70, 112, 130, out)));
        assertThat(device.cuda().kernelNames()).contains(KERNEL);
        float[] mapped = device.get(out);
        device.close();
        try (TestDevice other = TestDevice.ofCapability(89)) {
            Tensor there = other.empty(DType.F32, 70, 130);
            new CudaLinear(other.cuda(), true).run(List.of(call(other, 70, 112, 130, there)));
            assertThat(other.cuda().kernelNames()).contains("linear_fp8_e4m3_small");
            assertThat(other.get(there)).isEqualTo(mapped);
        } finally {
            open();
        }
    }

    /** e5m2, and rows of other lengths than whole 16 bytes, are converted to float16 first, which changes no bit. */
    @ParameterizedTest
    @CsvSource({"208, F8_E5M2", "205, F8_E4M3"})
    void whatOtherKernelsTakeGivesTheBitsOfOtherCards(int k, DType type) {
        assumeFalse(TestDevice.isReal(), "two devices");
        float[] converted = product(device, k, type);
        assertThat(device.cuda().kernelNames()).anySatisfy(name -> assertThat(name).startsWith("linear_fp8_")
                .endsWith("_small"));
        device.close();
        try (TestDevice other = TestDevice.ofCapability(89)) {
            assertThat(product(other, k, type)).isEqualTo(converted);
        } finally {
            open();
        }
    }

    private static float[] product(TestDevice device, int k, DType type) {
        Tensor out = device.empty(DType.F32, 70, 130);
        new CudaLinear(device.cuda(), true).run(List.of(new LinearCall(
                device.put(TestTensors.random(1, DType.BF16, 1, 70, k)),
                Weight.of(device.put(TestTensors.random(2, type, 1, 130, k))), null, Epilogue.STORE, out)));
        return device.get(out);
    }

    private static LinearCall call(TestDevice device, int m, int k, int n, Tensor out) {
        return new LinearCall(device.put(TestTensors.random(1, DType.BF16, 1, m, k)),
                new Weight.Scaled(device.put(TestTensors.random(2, DType.F8_E4M3, 1, n, k)), 0.5f), null,
                Epilogue.STORE, out);
    }

    /**
     * Beside the sum of the first 128 of k, float32 loses single ones, but not the sum of 128 of them.
     */
    @Test
    void sumsOfStagesAreAddedInFloat32() {
        int k = 3 * 128;
        float[] x = new float[k];
        float[] w = new float[k];
        for (int i = 0; i < k; i++) {
            x[i] = i < 128 ? 448 : 1;
            w[i] = i < 128 ? 448 : i % 2 == 0 ? 1 : 0.5f;
        }
        Tensor out = device.empty(DType.F32, 1, 1);
        linear.run(List.of(new LinearCall(device.put(DType.F32, x, 1, k),
                Weight.of(device.put(Samples.stored(DType.F8_E4M3, w, 1, k))), null, Epilogue.STORE, out)));
        float chain = 0;
        for (int i = 0; i < k; i++) {
            chain = Math.fma(x[i], w[i], chain);
        }
        float expected = 128f * 448 * 448 + 96 + 96;
        assertThat(chain).as("one sum after the other").isNotEqualTo(expected);
        assertThat(device.get(out)).containsExactly(expected);
    }

    /** Layers with an adapter and without in one launch; those without are as they are alone, to the bit. */
    @Test
    void adaptersAreOfTheSameLaunch() {
        List<LinearCall> calls = adapted(device, 140);
        long before = device.cuda().launches();
        linear.run(calls);
        assertThat(device.cuda().launches() - before).as("the rounding, x by down, and the products").isEqualTo(3);
        Tensor alone = device.empty(DType.F32, 140, 260);
        LinearCall bare = calls.getLast();
        linear.run(List.of(new LinearCall(bare.x(), bare.w(), null, Epilogue.STORE, alone)));
        assertThat(device.get(alone)).isEqualTo(device.get(bare.out()));
        assertThat(device.get(calls.getFirst().out())).isNotEqualTo(device.get(alone));
        assertThat(device.cuda().kernelNames()).contains("linear_fp8_e4m3_sm90_pair_large")
                .noneMatch(name -> name.contains("_any"));
    }

    /** A matrix with an adapter, which has more stages than the ring; and the matrix alone. */
    private static List<LinearCall> adapted(TestDevice device, int m) {
        int k = 400;
        int rank = 584;
        Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, m, k));
        Weight w = Weight.of(device.put(TestTensors.random(2, DType.F8_E4M3, 1, 260, k)));
        Weight both = new Weight.Adapted(w, List.of(new Delta.LowRank(
                device.put(TestTensors.random(3, DType.BF16, 1, rank, k)),
                device.put(TestTensors.random(4, DType.BF16, 1, 260, rank)), 0.1f)));
        return List.of(new LinearCall(x, both, null, Epilogue.STORE, device.empty(DType.F32, m, 260)),
                new LinearCall(x, w, null, Epilogue.STORE, device.empty(DType.F32, m, 260)));
    }

    /** Several tiles for each block and several stages for each tile, with a rest, in layers of different sizes. */
    @Test
    void blocksGoThroughSeveralTilesOfSeveralLayers() {
        List<LinearCall> calls = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            int m = 30 + 50 * (i % 5);
            int k = 64 + 144 * (i % 5);
            int n = 300 - 24 * i;
            Tensor x = device.put(TestTensors.random(i, DType.BF16, 1, m, k));
            Weight w = new Weight.Scaled(device.put(TestTensors.random(50 + i, DType.F8_E4M3, 1, n, k)), 0.1f * i);
            calls.add(new LinearCall(x, w, null, Epilogue.activate(Activation.values()[i % 5]),
                    device.empty(DType.F32, m, n)));
        }
        linear.run(calls);
        for (LinearCall call : calls) {
            LinearCall alone = new LinearCall(call.x().slice(7, 9), call.w(), null, call.epilogue(),
                    device.empty(DType.F32, 2, call.n()));
            linear.run(List.of(alone));
            assertThat(device.get(call.out().slice(7, 9))).as(call + ", two rows alone")
                    .isEqualTo(device.get(alone.out()));
        }
    }

    /** Whenever copies land and in whatever order warps run. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2})
    void theSeedChangesNothing(long seed) {
        assumeFalse(TestDevice.isReal(), "only the emulated device has seeds");
        List<float[]> expected = product(device, 140);
        device.close();
        try (TestDevice other = TestDevice.sm90(DType.BF16, KernelSource.BUILT_IN, seed)) {
            assertThat(product(other, 140)).usingRecursiveComparison().isEqualTo(expected);
        } finally {
            open();
        }
    }

    /** More stages than the ring has, without an adapter and with one; of more than 128 rows by pairs of blocks. */
    private static List<float[]> product(TestDevice device, int m) {
        Tensor out = device.empty(DType.F32, m, 260);
        List<LinearCall> calls = adapted(device, m);
        new CudaLinear(device.cuda(), true).run(List.of(call(device, m, 1040, 260, out), calls.getFirst()));
        return List.of(device.get(out), device.get(calls.getFirst().out()));
    }

    /** Each of the kernels' waits for products, fences and releases of stages, left out, is noticed. */
    @ParameterizedTest
    @CsvSource({"large, wgmma.fence, 0, MISSING_FENCE", "large, wgmma.fence, 1, MISSING_FENCE",
        "large, wgmma.fence, 2, MISSING_FENCE", "large, wgmma.wait_group, 0, UNFINISHED_PRODUCT",
        "large, wgmma.wait_group, 1, UNFINISHED_PRODUCT", "large, wgmma.wait_group, 2, UNFINISHED_PRODUCT",
        "large, mbarrier.arrive.shared, 0, DEADLOCK", "large, wgmma.fence, 3, MISSING_FENCE",
        "large, wgmma.wait_group, 4, UNFINISHED_COPY", "large, wgmma.wait_group, 5, UNFINISHED_PRODUCT",
        "large, mbarrier.arrive.shared, 4, DEADLOCK", "pair_large, wgmma.fence, 0, MISSING_FENCE",
        "pair_large, wgmma.fence, 1, MISSING_FENCE", "pair_large, wgmma.fence, 2, MISSING_FENCE",
        "pair_large, wgmma.wait_group, 0, UNFINISHED_PRODUCT", "pair_large, wgmma.wait_group, 1, UNFINISHED_PRODUCT",
        "pair_large, wgmma.wait_group, 2, UNFINISHED_PRODUCT",
        "pair_large, mbarrier.arrive.release.cluster, 0, DEADLOCK", "pair_large, wgmma.fence, 3, MISSING_FENCE",
        "pair_large, wgmma.wait_group, 4, UNFINISHED_COPY", "pair_large, wgmma.wait_group, 5, UNFINISHED_PRODUCT",
        "pair_large, mbarrier.arrive.release.cluster, 4, DEADLOCK"})
    void whatIsMissingIsNoticed(String tile, String instruction, int number, String fault) {
        assumeFalse(TestDevice.isReal(), "only the emulated device checks");
        String kernel = "linear_fp8_e4m3_sm90_" + tile;
        KernelSource kernels = PlantedFault.without("linear/linear_fp8_sm90", kernel, instruction, number);
        device.close();
        try (TestDevice other = TestDevice.sm90(DType.BF16, kernels, 0)) {
            assertThatThrownBy(() -> product(other, tile.equals("large") ? 120 : 140))
                    .isInstanceOf(DeviceException.class).hasMessageContaining(fault + " in kernel " + kernel);
        } finally {
            open();
        }
    }

    /** A byte from the L2 cache serves twice the products of bfloat16's. */
    @Test
    void halfTheBytesOfSixteenBits() {
        assumeFalse(TestDevice.isReal(), "only the emulated device counts");
        device.close();
        try (TestDevice other = TestDevice.profiling(90)) {
            Tensor x = other.put(TestTensors.random(1, DType.BF16, 1, 256, 512));
            Weight wide = Weight.of(other.put(TestTensors.random(2, DType.BF16, 1, 256, 512)));
            Weight narrow = Weight.of(other.put(TestTensors.random(2, DType.F8_E4M3, 1, 256, 512)));
            new CudaMappedLinear(other.cuda()).launch(SampledLinear.factors(List.of(new LinearCall(x, wide, null,
                    Epilogue.STORE, other.empty(DType.BF16, 256, 256)))), GemmTile.WARPGROUP_PAIR_LARGE);
            new CudaLinear(other.cuda(), true).run(List.of(new LinearCall(x, narrow, null, Epilogue.STORE,
                    other.empty(DType.BF16, 256, 256))));
            other.cuda().synchronize();
            KernelCounters of16 = other.counters().get("linear_bf16_sm90_pair_large");
            KernelCounters of8 = other.counters().get("linear_fp8_e4m3_sm90_pair_large");
            assertThat(of8.mmaFlops()).isEqualTo(of16.mmaFlops()).isEqualTo(2L * 256 * 256 * 512);
            assertThat((double) of8.traffic().globalSectorsRead / of16.traffic().globalSectorsRead)
                    .isCloseTo(0.5, within(0.01));
        } finally {
            open();
        }
    }
}
