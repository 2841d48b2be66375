package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cuda.KernelSource;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Adapters beside dense weights by the kernels of compute capability 9.0. */
@OnDevice
class CudaMappedAdapterTest {
    private static TestDevice open(DType operandType) {
        TestDevice device = TestDevice.sm90(operandType, KernelSource.BUILT_IN, 0);
        if (!device.cuda().takesSm90()) {
            device.close();
            assumeTrue(false, "a card of another compute capability");
        }
        return device;
    }

    /** Whole stages of x and weights, and behind them those of the adapter: as if they were more columns. */
    @ParameterizedTest
    @EnumSource(names = {"WARPGROUP_BROAD", "WARPGROUP_LARGE", "WARPGROUP_PAIR_BROAD", "WARPGROUP_PAIR_LARGE"})
    void anAdapterIsMoreOfTheSameSum(GemmTile tile) {
        int k = 128;
        for (DType type : new DType[] {DType.BF16, DType.F16}) {
            try (TestDevice device = open(type)) {
                CudaMappedLinear mapped = new CudaMappedLinear(device.cuda(), 4);
                for (int rank : new int[] {8, 64, 136}) {
                    Tensor x = device.put(TestTensors.random(1, type, 1, 300, k + rank));
                    Tensor w = device.put(TestTensors.random(2, type, 1, 270, k + rank));
                    Tensor both = device.empty(DType.F32, 300, 270);
                    Tensor one = device.empty(DType.F32, 300, 270);
                    Epilogue epilogue = Epilogue.activate(Activation.SILU);
                    mapped.launch(List.of(CudaMappedLinear.Factors.of(new LinearCall(x.columns(0, k),
                            Weight.of(w.columns(0, k)), null, epilogue, both), x.columns(k, k + rank),
                            w.columns(k, k + rank))), tile);
                    mapped.launch(SampledLinear.factors(List.of(new LinearCall(x, Weight.of(w), null, epilogue, one))),
                            tile);
                    assertThat(device.get(both)).as(type + ", rank " + rank).isEqualTo(device.get(one));
                }
            }
        }
    }

    /** Values and gates have rows of up of their own; 130 of each are not a whole tile. */
    @ParameterizedTest
    @EnumSource(names = {"WARPGROUP_BROAD", "WARPGROUP_PAIR_BROAD"})
    void soItIsBesideGatedLayers(GemmTile tile) {
        int k = 128;
        for (DType type : new DType[] {DType.BF16, DType.F16}) {
            try (TestDevice device = open(type)) {
                CudaMappedLinear mapped = new CudaMappedLinear(device.cuda(), 4);
                for (int rank : new int[] {8, 64, 136}) {
                    Tensor x = device.put(TestTensors.random(1, type, 1, 300, k + rank));
                    Tensor w = device.put(TestTensors.random(2, type, 1, 2 * 130, k + rank));
                    Tensor bias = device.put(TestTensors.random(3, DType.F32, 1, 2 * 130));
                    Tensor both = device.empty(DType.F32, 300, 130);
                    Tensor one = device.empty(DType.F32, 300, 130);
                    mapped.launchGated(x.columns(0, k), w.columns(0, k), x.columns(k, k + rank),
                            w.columns(k, k + rank), bias, Activation.SILU, both, tile);
                    mapped.launchGated(x, w, null, null, bias, Activation.SILU, one, tile);
                    assertThat(device.get(both)).as(type + ", rank " + rank).isEqualTo(device.get(one));
                }
            }
        }
    }

    /** One launch beside that of x by down, where other cards take two for the gates; the same bits. */
    @Test
    void adaptedGatedLayersThatFillACardComeHere() {
        assumeFalse(TestDevice.isReal(), "two devices");
        float[] mapped;
        try (TestDevice device = open(DType.BF16)) {
            long before = device.cuda().launches();
            mapped = gated(device);
            assertThat(device.cuda().launches() - before).isEqualTo(2);
            assertThat(device.cuda().kernelNames()).containsExactlyInAnyOrder("linear_bf16_w_small",
                    "linear_bf16_gated_sm90_pair_broad");
        }
        try (TestDevice device = TestDevice.open()) {
            assertThat(gated(device)).isEqualTo(mapped);
            assertThat(device.cuda().kernelNames()).noneMatch(name -> name.contains("gated"));
        }
    }

    private static float[] gated(TestDevice device) {
        int m = 1270;
        int k = 72;
        int n = 648;
        int rank = 16;
        Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, m, k));
        Weight w = new Weight.Adapted(Weight.of(device.put(TestTensors.random(2, DType.BF16, 0.1, 2 * n, k))),
                List.of(new Delta.LowRank(device.put(TestTensors.random(3, DType.BF16, 0.1, rank, k)),
                        device.put(TestTensors.random(4, DType.BF16, 1, 2 * n, rank)), 0.5f)));
        Tensor out = device.empty(DType.F32, m, n);
        assertThat(CudaGatedLinear.scratchBytes(x, w, null, Activation.SILU, out, DType.BF16, false))
                .as("x by down").isGreaterThanOrEqualTo(2L * m * rank);
        new CudaGatedLinear(device.cuda(), new CudaLinear(device.cuda())).run(x, w, null, Activation.SILU, out);
        return device.get(out);
    }

    /** Layers with and without one in one launch; the same bits as by the kernels of all cards. */
    @Test
    void adaptedLayersThatFillACardComeHere() {
        assumeFalse(TestDevice.isReal(), "two devices");
        List<float[]> mapped;
        try (TestDevice device = open(DType.BF16)) {
            long before = device.cuda().launches();
            mapped = outs(device, 1270, 72, 1272, 16);
            assertThat(device.cuda().launches() - before).as("x by down, and both layers").isEqualTo(2);
            assertThat(device.cuda().kernelNames()).containsExactlyInAnyOrder("linear_bf16_w_small",
                    "linear_bf16_sm90_pair_broad");
        }
        try (TestDevice device = TestDevice.open()) {
            assertThat(outs(device, 1270, 72, 1272, 16)).usingRecursiveComparison().isEqualTo(mapped);
            assertThat(device.cuda().kernelNames()).contains("linear_bf16_w_large");
        }
    }

    private static List<float[]> outs(TestDevice device, int m, int k, int n, int rank) {
        Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, m, k));
        Weight w = Weight.of(device.put(TestTensors.random(2, DType.BF16, 1, n, k)));
        Weight adapted = new Weight.Adapted(w, List.of(new Delta.LowRank(
                device.put(TestTensors.random(3, DType.BF16, 1, rank, k)),
                device.put(TestTensors.random(4, DType.BF16, 1, n, rank)), 0.5f)));
        List<LinearCall> calls = new ArrayList<>();
        for (Weight each : List.of(adapted, w)) {
            calls.add(new LinearCall(x, each, null, Epilogue.STORE, device.empty(DType.F32, m, n)));
        }
        new CudaLinear(device.cuda()).run(calls);
        return calls.stream().map(call -> device.get(call.out())).toList();
    }

    /** Operations for a byte of the L2 cache: 64 with the 128x128 tile of all cards, 128 with a pair's broad one. */
    @Test
    void halfTheBytesOfTheCache() {
        assumeFalse(TestDevice.isReal(), "only the emulated device counts");
        try (TestDevice device = TestDevice.profiling(90)) {
            Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, 512, 256));
            LinearCall call = new LinearCall(x.columns(0, 192), Weight.of(x.columns(0, 192)), null, Epilogue.STORE,
                    device.empty(DType.BF16, 512, 512));
            new CudaMappedLinear(device.cuda()).launch(List.of(CudaMappedLinear.Factors.of(call, x.columns(192, 256),
                    x.columns(192, 256))), GemmTile.WARPGROUP_PAIR_BROAD);
            device.cuda().synchronize();
            assertThat(operationsPerByte(device.counters().get("linear_bf16_sm90_pair_broad")))
                    .isCloseTo(128, within(1e-9));
        }
        try (TestDevice device = TestDevice.profiling()) {
            outs(device, 1280, 64, 1280, 32);
            assertThat(operationsPerByte(device.counters().get("linear_bf16_w_large"))).isCloseTo(64, within(1e-9));
        }
    }

    private static double operationsPerByte(KernelCounters counters) {
        return counters.mmaFlops() / (32.0 * counters.traffic().globalSectorsRead);
    }
}
