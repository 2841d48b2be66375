package jdiffusion.kernels.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cuda.CudaBackend;
import jdiffusion.kernels.cuda.KernelSource;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.Planted;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Races that are planted in the kernels of attention are noticed. */
@OnDevice
class CudaAttentionRaceTest {
    private static final String FILE = "attention/attention";

    @TempDir
    private Path folder;

    @BeforeAll
    static void emulated() {
        assumeThat(TestDevice.isReal()).as("the emulator checks").isFalse();
    }

    /** What a device says of attention over several tiles of keys with normed q and k; null when all is well. */
    private static Throwable fault(KernelSource kernels, long seed, int channels) {
        return catchThrowable(() -> run(kernels, seed, channels));
    }

    private static float[] run(KernelSource kernels, long seed, int channels) {
        int n = 150;
        try (TestDevice device = TestDevice.checking(kernels, seed)) {
            float[] values = Samples.normal(1, n * channels, 0, 1);
            Tensor q = device.put(DType.BF16, values, 1, n, channels);
            Tensor k = device.put(DType.BF16, values, 1, n, channels);
            Tensor v = device.put(DType.BF16, values, 1, n, channels);
            Tensor norm = channels > 128 ? null : device.put(DType.F32, Samples.normal(2, channels, 1, 0.1), channels);
            Tensor out = device.empty(DType.BF16, 1, n, channels);
            new CudaAttention(device.cuda()).run(AttentionShape.of(1, 1, channels),
                    List.of(AttentionStream.of(q, k, v, out).withNorms(norm, norm)), null);
            return device.get(out);
        }
    }

    /** The next keys are copied to where other warps still read the last ones. */
    @Test
    void aCopyBeforeTheBarrier() throws IOException {
        assumeThat(CudaBackend.compilerObstacle()).as("why no compiler").isNull();
        String source = Files.readString(Path.of("src/main/java/jdiffusion/kernels/attention/attention.cu"));
        int barrier = source.indexOf("        __syncthreads();\n        if (i + 1 < keyTiles) {\n            copy_keys");
        int end = source.indexOf("        // How far the warp's first query is behind", barrier);
        assertThat(barrier).isPositive().isLessThan(end);
        String copy = source.substring(barrier, end).replace("        __syncthreads();\n", "");
        Files.writeString(folder.resolve("attention.cu"), source.substring(0, barrier) + copy
                + "        __syncthreads();\n" + source.substring(end));
        String ptx = KernelSource.folder(folder).ptx(FILE);
        for (int seed = 0; seed < 4; seed++) {
            Throwable fault = fault(file -> file.equals(FILE) ? ptx : KernelSource.BUILT_IN.ptx(file), seed, 64);
            Planted.assertRace(fault, "attention_64_bf16");
            assertThat(fault).hasMessageContaining("`ldmatrix.").hasMessageContaining("`cp.async.");
        }
    }

    /** Nothing is wrong with the kernels themselves, whenever copies land. */
    @ParameterizedTest
    @ValueSource(ints = {7, 64, 72, 256, 512})
    void theSeedChangesNothing(int channels) {
        float[] expected = run(KernelSource.BUILT_IN, 0, channels);
        for (int seed = 1; seed < 4; seed++) {
            assertThat(run(KernelSource.BUILT_IN, seed, channels)).isEqualTo(expected);
        }
    }

    /** Each of them is needed. */
    @ParameterizedTest
    @CsvSource({"attention_64_bf16, 64, bar.sync, 0 1 2 3", "attention_64_bf16, 64, cp.async.wait_group, 0 1",
        "attention_wide_bf16, 512, bar.sync, 0 1 2 3 4 5", "attention_wide_bf16, 512, cp.async.wait_group, 0 1 2",
        "attention_plain_bf16, 7, bar.warp.sync, 0 1 2"})
    void barriersAndWaitsThatAreMissing(String kernel, int channels, String instruction, String noticed) {
        assertThat(new Planted(FILE, kernel, instruction)
                .noticed(planted -> fault(planted, 0, channels)))
                .isEqualTo(Stream.of(noticed.split(" ")).map(Integer::valueOf).toList());
    }
}
