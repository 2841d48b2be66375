package jdiffusion.kernels.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.util.List;
import jdiffusion.emulator.KernelCounters.Traffic;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.elementwise.CudaElementwise;
import jdiffusion.kernels.groupnorm.CudaGroupNorm;
import jdiffusion.kernels.layernorm.CudaLayerNorm;
import jdiffusion.kernels.join.CudaJoin;
import jdiffusion.kernels.layout.CudaLayout;
import jdiffusion.kernels.modulate.CudaModulate;
import jdiffusion.kernels.rmsnorm.CudaRmsNorm;
import jdiffusion.kernels.upsample.CudaUpsample;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the kernels on rows move, by the emulator's counters: nothing twice, full sectors, no bank conflicts. */
@OnDevice
class RowTrafficTest {
    private TestDevice device;
    private Cuda cuda;

    @BeforeEach
    void open() {
        assumeThat(TestDevice.isReal()).as("the counters are the emulator's").isFalse();
        device = TestDevice.profiling();
        cuda = device.cuda();
    }

    @AfterEach
    void close() {
        if (device != null) {
            device.close();
        }
    }

    private Tensor values(DType type, int... dims) {
        return device.put(type, Samples.normal(1, Shape.of(dims).size(), 0, 1), dims);
    }

    /** Traffic of a kernel that reads and writes as many bytes as said. */
    private void check(String kernel, long read, long written) {
        Traffic traffic = device.counters().get(kernel).traffic();
        assertThat(traffic.globalBytesRead).as("bytes read by %s", kernel).isEqualTo(read);
        assertThat(traffic.globalBytesWritten).as("bytes written by %s", kernel).isEqualTo(written);
        assertThat(traffic.globalSectors).as("sectors of %s", kernel).isEqualTo(traffic.globalIdealSectors);
        assertThat(traffic.sharedConflictCycles).as("cycles that %s loses to bank conflicts", kernel).isZero();
    }

    /** Rows of whole and of ragged numbers of the loops' steps. */
    @ParameterizedTest
    @ValueSource(ints = {1536, 384, 2000})
    void layerNormReadsARowOnceForTwoOutputs(int c) {
        int rows = 20;
        Tensor modulation = values(DType.F32, 2, 6 * c);
        Tensor out1 = device.empty(DType.BF16, rows, c);
        Tensor out2 = device.empty(DType.BF16, rows, c);
        new CudaLayerNorm(cuda).run2(values(DType.F32, rows, c),
                modulation.columns(0, c), modulation.columns(c, 2 * c), out1,
                modulation.columns(3 * c, 4 * c), modulation.columns(4 * c, 5 * c), out2, 1e-6f);
        check("layernorm_runs", (4L + 4 * 4) * rows * c, 2L * 2 * rows * c);
    }

    @Test
    void modulationReadsARowOnce() {
        int rows = 20;
        int c = 3072;
        Tensor modulation = values(DType.F32, 2, 2 * c);
        new CudaModulate(cuda).run(values(DType.F32, rows, c), modulation.columns(0, c), modulation.columns(c, 2 * c),
                device.empty(DType.BF16, rows, c));
        check("modulate_runs", (4L + 2 * 4) * rows * c, 2L * rows * c);
    }

    @ParameterizedTest
    @ValueSource(ints = {4096, 384, 2000})
    void rmsNormReadsARowOnce(int c) {
        int rows = 5;
        new CudaRmsNorm(cuda).run(values(DType.F32, rows, c), values(DType.BF16, c), 1e-6f,
                device.empty(DType.BF16, rows, c));
        check("rmsnorm_runs", (4L + 2) * rows * c, 2L * rows * c);
    }

    @Test
    void groupNormReadsTwice() {
        int pixels = 32 * 64;
        int c = 128;
        Tensor x = values(DType.BF16, 1, 32, 64, c);
        new CudaGroupNorm(cuda).run(x, 32, null, null, 1e-6f, Activation.SILU, x);
        Traffic describe = device.counters().get("groupnorm_describe_runs").traffic();
        Traffic normalize = device.counters().get("groupnorm_normalize_runs").traffic();
        long bytes = 2L * pixels * c;
        // Beside the image only the centres, a value for each group and thread, and the moments.
        assertThat(describe.globalBytesRead).isBetween(bytes, bytes + bytes / 8);
        assertThat(normalize.globalBytesRead).isBetween(bytes, bytes + bytes / 2);
        assertThat(normalize.globalBytesWritten).isEqualTo(bytes);
        assertThat(normalize.globalSectors).isEqualTo(normalize.globalIdealSectors);
        assertThat(describe.sharedConflictCycles).isZero();
    }

    @Test
    void elementsAreTakenInRuns() {
        Tensor x = values(DType.F32, 7, 1000);
        CudaElementwise elementwise = new CudaElementwise(cuda);
        elementwise.combine(new float[] {1, 2, 3}, List.of(x, x, x), x);
        check("elementwise_combine_runs", 3L * 4 * 7000, 4L * 7000);
        elementwise.activate(Activation.SILU, x, device.empty(DType.BF16, 7, 1000));
        check("elementwise_activate_runs", 4L * 7000, 2L * 7000);
    }

    @Test
    void upsamplingReadsAPixelOnce() {
        new CudaUpsample(cuda).run(values(DType.BF16, 1, 4, 8, 256), device.empty(DType.BF16, 1, 8, 16, 256));
        check("upsample_runs", 2L * 4 * 8 * 256, 4L * 2 * 4 * 8 * 256);
    }

    @Test
    void joiningReadsAndWritesOnce() {
        Tensor a = values(DType.F32, 1, 4, 8, 64);
        Tensor b = values(DType.F32, 1, 4, 8, 128);
        new CudaJoin(cuda).run(a, b, device.empty(DType.BF16, 1, 4, 8, 192));
        check("join_runs", 4L * 4 * 8 * 192, 2L * 4 * 8 * 192);
    }

    @Test
    void layoutsChangeInWholeSectors() {
        CudaLayout layout = new CudaLayout(cuda);
        for (int c : new int[] {3, 16, 64}) {
            Tensor first = values(DType.F32, 1, c, 4, 128);
            Tensor last = device.empty(DType.F32, 1, 4, 128, c);
            layout.channelsLast(first, last);
            layout.channelsFirst(last, first);
        }
        long bytes = 4L * (3 + 16 + 64) * 4 * 128;
        check("layout_channels_last", bytes, bytes);
        check("layout_channels_first", bytes, bytes);
    }
}
