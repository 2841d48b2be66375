package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cuda.KernelSource;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * No product of matrices loses a cycle of shared memory to bank conflicts: neither where operands come and are read,
 * nor where sums lie as rows on their way to memory. Every kernel of a file has its turn.
 */
@OnDevice
class CudaBankConflictsTest {
    private static final Pattern ENTRY = Pattern.compile("\\.visible \\.entry (\\w+)\\(");
    /** Rows for which 4608 columns take the small, large and broad tile. */
    private static final int SMALL = 70;
    private static final int LARGE = 384;
    private static final int BROAD = 768;

    @BeforeEach
    void emulated() {
        assumeFalse(TestDevice.isReal(), "only the emulated device counts");
    }

    @ParameterizedTest
    @EnumSource(names = {"BF16", "F16"})
    void denseWeights(DType type) {
        try (TestDevice device = TestDevice.profiling(type, 80)) {
            for (int m : new int[] {SMALL, LARGE, BROAD}) {
                linear(device, false, m, 40, type, type);
                gated(device, m, 40, type);
            }
            linear(device, false, SMALL, 40, type, DType.F8_E4M3);
            linear(device, false, LARGE, 40, type, DType.F8_E4M3);
            linear(device, false, SMALL, 40, DType.F32, type);
            // Rows that are no whole chunks.
            linear(device, false, SMALL, 41, DType.F32, DType.F32);
            linear(device, false, SMALL, 41, DType.F32, DType.F8_E5M2);
            assertNone(device, kernels("linear/linear_" + name(type)));
        }
    }

    @Test
    void float8() {
        try (TestDevice device = TestDevice.profiling(89)) {
            for (int m : new int[] {SMALL, LARGE, BROAD}) {
                linear(device, true, m, 80, DType.BF16, DType.F8_E4M3);
            }
            // Rows that are no whole chunks.
            for (int m : new int[] {SMALL, LARGE}) {
                linear(device, true, m, 83, DType.BF16, DType.F8_E4M3);
                linear(device, true, m, 88, DType.BF16, DType.F8_E5M2);
            }
            assertNone(device, kernels("linear/linear_fp8_sm89", "linear/linear_fp8_native_sm89"));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"BF16", "F16"})
    void denseWeightsByWarpgroups(DType type) {
        try (TestDevice device = TestDevice.profiling(type, 90)) {
            CudaMappedLinear mapped = new CudaMappedLinear(device.cuda());
            for (GemmTile tile : GemmTile.values()) {
                if (tile.label().startsWith("sm90")) {
                    mapped.launch(SampledLinear.factors(List.of(call(device, 140, 72, 264, type, type))), tile);
                }
            }
            for (GemmTile tile : List.of(GemmTile.WARPGROUP_BROAD, GemmTile.WARPGROUP_PAIR_BROAD)) {
                mapped.launchGated(device.put(TestTensors.random(1, type, 1, 140, 72)),
                        device.put(TestTensors.random(2, type, 1, 264, 72)),
                        device.put(TestTensors.random(3, type, 1, 140, 16)),
                        device.put(TestTensors.random(4, type, 1, 264, 16)), null, Activation.SILU,
                        device.empty(type, 140, 132), tile);
            }
            assertNone(device, kernels("linear/linear_" + name(type) + "_sm90"));
        }
    }

    @Test
    void float8ByWarpgroups() {
        try (TestDevice device = TestDevice.profiling(90)) {
            linear(device, true, SMALL, 144, DType.BF16, DType.F8_E4M3);
            linear(device, true, 2 * SMALL, 144, DType.BF16, DType.F8_E4M3);
            for (int m : new int[] {SMALL, 2 * SMALL}) {
                LinearCall bare = call(device, m, 144, 264, DType.BF16, DType.F8_E4M3);
                new CudaMappedLinear(device.cuda()).runFloat8(List.of(CudaMappedLinear.Factors.ofFloat8(bare,
                        new CudaFloat8.Rows(device.put(TestTensors.random(4, DType.F8_E4M3, 1, m, 144)),
                                device.put(TestTensors.random(5, DType.F32, 1, m))), 1,
                        device.put(TestTensors.random(6, DType.BF16, 1, m, 72)),
                        device.put(TestTensors.random(7, DType.BF16, 1, 264, 72)))));
            }
            Set<String> kernels = kernels("linear/linear_fp8_sm90");
            kernels.add("quantise_rows");
            assertNone(device, kernels);
        }
    }

    /**
     * Of quantised weights, all but the loads of codes and factors where they are made: those lie as the file has them.
     */
    @ParameterizedTest
    @CsvSource({"BF16, 256", "F16, 256", "BF16, 512", "F16, 512"})
    void quantisedWeights(DType type, int k) {
        try (TestDevice device = TestDevice.profiling(type, 80)) {
            for (DType of : new DType[] {type, DType.F32}) {
                Tensor x = device.put(TestTensors.random(1, of, 1, SMALL, k));
                for (Weight w : List.of(new FourBitCase(72, k, 64, true).make(2),
                        new FourBitCase(72, k, 32, false).make(2), new BlocksCase(BlockFormat.Q6_K, 72, k).make(3))) {
                    new CudaLinear(device.cuda()).run(List.of(new LinearCall(x, CudaWeights.put(device, w), null,
                            Epilogue.activate(Activation.SILU), device.empty(DType.BF16, SMALL, 72))));
                }
            }
            device.cuda().synchronize();
            for (KernelCounters counters : device.counters().values()) {
                for (KernelCounters.Line line : counters.lines().values()) {
                    if (line.kind == KernelCounters.InstructionClass.LDMATRIX || line.text.contains("st.shared")) {
                        assertThat(line.traffic.sharedConflictCycles).as("cycles lost in %s by `%s`",
                                counters.kernel(), line.text).isZero();
                    }
                }
            }
            assertThat(device.counters()).hasSize(6);
        }
    }

    private static String name(DType type) {
        return type == DType.BF16 ? "bf16" : "f16";
    }

    private static Set<String> kernels(String... files) {
        Set<String> names = new TreeSet<>();
        Stream.of(files).forEach(file -> ENTRY.matcher(KernelSource.BUILT_IN.ptx(file)).results()
                .forEach(entry -> names.add(entry.group(1))));
        return names;
    }

    private static void linear(TestDevice device, boolean float8, int m, int k, DType x, DType w) {
        new CudaLinear(device.cuda(), float8).run(List.of(call(device, m, k, 4608, x, w)));
    }

    private static LinearCall call(TestDevice device, int m, int k, int n, DType x, DType w) {
        return new LinearCall(device.put(TestTensors.random(1, x, 1, m, k)),
                Weight.of(device.put(TestTensors.random(2, w, 1, n, k))),
                device.put(TestTensors.random(3, DType.F32, 1, n)), Epilogue.activate(Activation.GELU_TANH),
                device.empty(DType.BF16, m, n));
    }

    private static void gated(TestDevice device, int m, int k, DType type) {
        Tensor out = device.empty(type, m, 4608 / 2);
        new CudaGatedLinear(device.cuda(), new CudaLinear(device.cuda())).run(
                device.put(TestTensors.random(1, type, 1, m, k)),
                Weight.of(device.put(TestTensors.random(2, type, 1, 4608, k))), null, Activation.SILU, out);
    }

    private static void assertNone(TestDevice device, Set<String> kernels) {
        device.cuda().synchronize();
        assertThat(device.counters().keySet()).isEqualTo(kernels);
        device.counters().forEach((kernel, counters) -> assertThat(counters.traffic().sharedConflictCycles)
                .as("cycles that %s loses to bank conflicts", kernel).isZero());
    }
}
