package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.util.List;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.emulator.KernelCounters.InstructionClass;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;

/** What the emulated device counts of a projection of the medium transformer at full size. */
class CudaLinearCountersTest {
    private static final int M = 4096;
    private static final int K = 1536;
    private static final int N = 1536;

    @Test
    void theMainLoopIsTensorCoresAndTheirSupply() {
        assumeFalse(TestDevice.isReal(), "only the emulated device counts");
        try (TestDevice device = TestDevice.profiling()) {
            Tensor x = device.put(TestTensors.random(1, DType.BF16, 1, M, K));
            Weight w = Weight.of(device.put(TestTensors.random(2, DType.BF16, 1, N, K)));
            Tensor bias = device.put(TestTensors.random(3, DType.BF16, 1, N));
            Tensor out = device.empty(DType.BF16, M, N);
            new CudaLinear(device.cuda()).run(List.of(new LinearCall(x, w, bias, Epilogue.STORE, out)));
            device.cuda().synchronize();
            KernelCounters counters = device.counters().get("linear_bf16_large");
            assertThat(counters.mmaFlops()).isEqualTo(2L * M * N * K);
            KernelCounters.Traffic all = counters.traffic();
            assertThat((double) all.globalSectors / all.globalIdealSectors).as("sectors").isLessThanOrEqualTo(1.1);
            assertThat(all.globalBytesWritten).as("out is written once").isEqualTo(2L * M * N);

            List<KernelCounters.Line> loop = mainLoop(counters);
            long conflicts = loop.stream().mapToLong(line -> line.traffic.sharedConflictCycles).sum();
            assertThat(conflicts).as("cycles lost to bank conflicts").isZero();
            long useful = loop.stream().filter(line -> line.kind == InstructionClass.MMA
                    || line.kind == InstructionClass.LDMATRIX || line.kind == InstructionClass.CP_ASYNC).count();
            long slots = loop.stream().filter(line -> line.kind != InstructionClass.INTEGER).count();
            assertThat((double) useful / slots).as("%s of %s issue slots", useful, slots).isGreaterThanOrEqualTo(0.85);
        }
    }

    /** The instructions that run once for each 32 of k, as those of the tensor cores do. */
    private static List<KernelCounters.Line> mainLoop(KernelCounters counters) {
        long rounds = counters.lines().values().stream().filter(line -> line.kind == InstructionClass.MMA).findFirst()
                .orElseThrow().executions;
        return counters.lines().values().stream().filter(line -> line.executions == rounds).toList();
    }
}
