package jdiffusion.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.lang.foreign.MemorySegment;
import jcuda.driver.CUctx_flags;
import jcuda.driver.CUdevice;
import jcuda.driver.JCudaDriver;
import jdiffusion.kernels.DeviceException;
import jdiffusion.kernels.Samples;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;
import org.junit.jupiter.api.Test;

class CudaTest extends DeviceTest {
    private static final long TOO_MUCH = 1L << 50;

    @Test
    void memoryThatIsNotThereIsSaidInOneLine() {
        assertThatThrownBy(() -> device.cuda().allocate(TOO_MUCH)).isInstanceOf(DeviceException.class)
                .hasMessageStartingWith("cuda: out of device memory: 1073741824 MiB more are needed, and ")
                .hasMessageEndingWith(" MiB are free; a smaller size or batch needs less")
                .hasMessageNotContaining("\n");
    }

    @Test
    void memoryIsCountedUntilItIsFreed() {
        assumeFalse(TestDevice.isReal(), "counts the emulated device's memory");
        DeviceMemory memory = device.cuda().memory();
        long before = memory.count().live();
        assertThat(device.emulated().allocatedBytes()).isEqualTo(before);
        try (Workspace workspace = memory.workspace(1 << 20, _ -> { }, DType.BF16, DType.BF16)) {
            memory.scratch(100);
            assertThatThrownBy(() -> device.cuda().allocate(TOO_MUCH)).isInstanceOf(DeviceException.class);
            assertThat(memory.count().live()).isEqualTo(before + (2 << 20));
            assertThat(device.emulated().allocatedBytes()).isEqualTo(before + (2 << 20));
            assertThatThrownBy(() -> workspace.f32(1 << 20)).isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("1048576 bytes, of which 0");
        }
        assertThat(memory.count().live()).isEqualTo(before);
        assertThat(memory.count().peak()).isGreaterThanOrEqualTo(before + (2 << 20));
        assertThat(device.emulated().allocatedBytes()).isEqualTo(before);
    }

    /** Of text that does not begin as PTX, a driver says nothing. */
    private static final String BROKEN = """
            .version 7.0
            .target sm_80
            .address_size 64

            .visible .entry entry()
            {
                .reg .f32 %f<2>;
                add.nonsense.f32 %f1, %f0, %f0;
                ret;
            }
            """;

    @Test
    void theDriversCompilerSaysWhatItDoesNotLike() {
        try (Cuda other = Cuda.open(0, "cuda", _ -> BROKEN, device.cuda().operandType(), _ -> null)) {
            assertThatThrownBy(() -> other.kernel("some/file", "entry")).isInstanceOf(DeviceException.class)
                    .hasMessageMatching("cuda: loading the kernels of some/file.cu with a driver for CUDA [0-9.]+"
                            + " \\(.+\\): CUDA_ERROR_.+");
        }
    }

    /** A driver may report an earlier launch's fault with any later call. */
    @Test
    void failuresSayHowToFindTheLaunchThatFailed() {
        try (Cuda other = Cuda.open(0, "cuda", KernelSource.BUILT_IN, device.cuda().operandType(), _ -> null)) {
            assertThatThrownBy(() -> other.free(16)).isInstanceOf(DeviceException.class)
                    .hasMessageStartingWith("cuda: freeing device memory: CUDA_ERROR_").hasMessageEndingWith(
                            "; the last kernel launched was nothing, which need not be the one that failed:"
                            + " -Djdiffusion.cuda.synchronous=true waits for each and names it");
        }
    }

    @Test
    void uploadedIndicesAreKnownWithoutTheDevice() {
        CudaTransfer transfer = new CudaTransfer(device.cuda());
        Tensor ids = device.empty(DType.I32, 3);
        transfer.upload(new int[] {5, 6, 7}, ids);
        device.cuda().copyIn(MemorySegment.ofArray(new int[] {0, 0, 0}), ids.data().address());
        assertThat(transfer.indices(ids)).containsExactly(5, 6, 7);
        Tensor others = device.put(Samples.ids(1, 2));
        assertThat(transfer.indices(others)).containsExactly(1, 2);
    }

    @Test
    void waitingThreadsSleep() {
        int[] flags = new int[1];
        int[] active = new int[1];
        JCudaDriver.cuDevicePrimaryCtxGetState(new CUdevice(), flags, active);
        assertThat(active).containsExactly(1);
        assertThat(flags[0] & CUctx_flags.CU_CTX_SCHED_MASK).isEqualTo(CUctx_flags.CU_CTX_SCHED_BLOCKING_SYNC);
    }

    @Test
    void closingTwiceReleasesOnce() {
        Cuda second = Cuda.open(0, "cuda", KernelSource.BUILT_IN, device.cuda().operandType(), _ -> null);
        second.close();
        second.close();
        device.cuda().synchronize();
        device.cuda().free(device.cuda().allocate(1));
    }
}
