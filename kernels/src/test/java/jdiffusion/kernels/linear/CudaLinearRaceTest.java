package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.util.List;
import java.util.stream.Stream;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cuda.KernelSource;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.Planted;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Races that are planted in the kernels of linear layers are noticed. */
@OnDevice
class CudaLinearRaceTest {
    private static final int ROWS = 70;
    private static final int COLUMNS = 1024;

    @BeforeAll
    static void emulated() {
        assumeThat(TestDevice.isReal()).as("the emulator checks").isFalse();
    }

    private static Weight weight(String file) {
        return file.contains("blocks") ? new BlocksCase(BlockFormat.Q6_K, ROWS, COLUMNS).make(1)
                : file.contains("nf4") ? new FourBitCase(ROWS, COLUMNS, 64, false).make(1)
                : Weight.of(Samples.stored(DType.BF16, Samples.normal(1, ROWS * COLUMNS, 0, 1), ROWS, COLUMNS));
    }

    /** What a device says of a layer; null when all is well. */
    private static Throwable fault(KernelSource kernels, Weight weight) {
        try (TestDevice device = TestDevice.checking(kernels, 0)) {
            Tensor x = device.put(DType.BF16, Samples.normal(2, 9 * COLUMNS, 0, 1), 9, COLUMNS);
            Tensor out = device.empty(DType.F32, 9, ROWS);
            Weight placed = CudaWeights.put(device, weight);
            Tensor bias = device.put(DType.F32, Samples.normal(3, ROWS, 0, 1), ROWS);
            return catchThrowable(() -> new CudaLinear(device.cuda()).run(
                    List.of(new LinearCall(x, placed, bias, Epilogue.STORE, out))));
        }
    }

    /** Of the last two in kernels of quantised weights, one or both are kept apart by barriers of the block too. */
    @ParameterizedTest
    @CsvSource({"linear_bf16, linear_bf16_small, bar.sync, 0 1 2 3 4",
        "linear_bf16, linear_bf16_small, cp.async.wait_group, 0 1 2",
        "linear_blocks_bf16, linear_blocks_bf16_small, bar.warp.sync, 0 2",
        "linear_nf4_bf16, linear_nf4_bf16_small, bar.warp.sync, 0"})
    void barriersAndWaitsThatAreMissing(String file, String kernel, String instruction, String noticed) {
        Weight weight = weight(file);
        assertThat(fault(KernelSource.BUILT_IN, weight)).isNull();
        assertThat(new Planted("linear/" + file, kernel, instruction).noticed(planted -> fault(planted, weight)))
                .isEqualTo(Stream.of(noticed.split(" ")).map(Integer::valueOf).toList());
    }
}
