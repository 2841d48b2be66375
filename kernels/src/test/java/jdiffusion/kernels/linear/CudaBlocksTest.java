package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.emulator.KernelCounters.InstructionClass;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.kernels.linear.CudaWeights.Form;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Linear layers with weights in GGUF's blocks on a CUDA device. */
@OnDevice
class CudaBlocksTest {
    /** Two widths of each format, so that rows begin anywhere in a sector, and blocks more and fewer than at hand. */
    @ParameterizedTest
    @EnumSource(names = {"BF16", "F16"})
    void elementsToTheBit(DType operand) {
        try (TestDevice device = TestDevice.open(operand)) {
            for (BlockFormat format : BlockFormat.values()) {
                for (int blocks : format.blockSize() == 32 ? new int[] {1, 9} : new int[] {1, 2}) {
                    BlocksCase c = new BlocksCase(format, 67, blocks * format.blockSize());
                    Weight.Blocks w = c.make(3);
                    CudaWeights.assertSame(c.toString(), CudaWeights.seen(device, CudaWeights.put(device, w)),
                            CudaWeights.rounded(operand, CudaWeights.read(w)));
                    device.clear();
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void productsAreAsGoodAsNaiveOnes(BlockFormat format) {
        try (TestDevice device = TestDevice.open()) {
            Weight.Blocks w = new BlocksCase(format, 70, 5 * 256).make(4);
            Weight placed = CudaWeights.put(device, w);
            float[] ws = Samples.rounded(DType.BF16, CudaWeights.read(w));
            for (Form form : Form.all(DType.BF16)) {
                CudaWeights.check(format.name(), device, form, placed, ws);
            }
        }
    }

    /** 99 blocks of the wide tile, with edges. */
    @ParameterizedTest
    @EnumSource(names = {"Q5_0", "Q6_K"})
    void manyRowsTakeTheWideTile(BlockFormat format) {
        Weight.Blocks w = new BlocksCase(format, 2070, 256).make(5);
        try (TestDevice device = TestDevice.open(DType.F16)) {
            CudaWeights.check(format.name(), device, Form.plain(200, DType.F16), CudaWeights.put(device, w),
                    Samples.rounded(DType.F16, CudaWeights.read(w)));
        }
    }

    /** The q, k and v of a checkpoint in which each is stored in its own way, and a slice that begins anywhere. */
    @Test
    void partsOfSeveralKindsInOneWeight() {
        Weight blocks = new BlocksCase(BlockFormat.Q4_0, 70, 256).make(20);
        List<Weight> parts = List.of(blocks.slice(3, 70), Weight.of(Samples.stored(DType.BF16,
                        Samples.normal(22, 64 * 256, 0, 0.1), 64, 256)),
                new BlocksCase(BlockFormat.Q3_K, 9, 256).make(21), new FourBitCase(33, 256, 64, false).make(21),
                new Weight.Scaled(Samples.stored(DType.F8_E4M3, Samples.normal(23, 5 * 256, 0, 1), 5, 256), 0.3f));
        try (TestDevice device = TestDevice.open()) {
            Tensor x = device.put(DType.BF16, Samples.normal(23, 9 * 256, 0, 1), 9, 256);
            Weight whole = CudaWeights.put(device, new Weight.Rows(parts));
            Tensor out = device.empty(DType.F32, 9, whole.rows());
            new CudaLinear(device.cuda()).run(List.of(new LinearCall(x, whole, null, Epilogue.STORE, out)));
            int from = 0;
            for (Weight part : ((Weight.Rows) whole).parts()) {
                Tensor alone = device.empty(DType.F32, 9, part.rows());
                new CudaLinear(device.cuda()).run(List.of(new LinearCall(x, part, null, Epilogue.STORE, alone)));
                assertThat(device.get(out.columns(from, from + part.rows()))).isEqualTo(device.get(alone));
                from += part.rows();
            }
        }
    }

    /** One kernel reads all formats, so that layers of several are one launch. */
    @Test
    void formatsShareALaunch() {
        List<LinearCall> calls = new ArrayList<>();
        try (TestDevice device = TestDevice.open()) {
            Tensor x = device.put(DType.BF16, Samples.normal(1, 2 * 256, 0, 1), 2, 256);
            for (BlockFormat format : BlockFormat.values()) {
                Weight w = CudaWeights.put(device, new BlocksCase(format, 8, 256).make(2));
                calls.add(new LinearCall(x, w, null, Epilogue.STORE, device.empty(DType.F32, 2, 8)));
            }
            long before = device.cuda().launches();
            new CudaLinear(device.cuda()).run(calls);
            assertThat(device.cuda().launches() - before).isEqualTo(1);
        }
    }

    /**
     * Blocks pass once, in whole sectors, and what is written is the output alone. Tiles are written and read without
     * bank conflicts. Where rows are whole sectors, so are codes cut out, and only factors, a few loads for 128
     * elements, meet in banks. Rows of K blocks of other lengths begin at four distances from a sector, so that no
     * order of words keeps all of them apart: a load of codes then takes two cycles.
     */
    @ParameterizedTest
    @EnumSource
    void memoryDeliversTheBlocksAlone(BlockFormat format) {
        assumeFalse(TestDevice.isReal(), "only the emulated device counts");
        int k = 1536;
        int n = 128;
        Weight.Blocks w = new BlocksCase(format, n, k).make(7);
        try (TestDevice device = TestDevice.profiling()) {
            Tensor x = device.put(DType.BF16, Samples.normal(8, 64 * k, 0, 1), 64, k);
            new CudaLinear(device.cuda()).run(List.of(new LinearCall(x, CudaWeights.put(device, w), null,
                    Epilogue.STORE, device.empty(DType.F32, 64, n))));
            device.cuda().synchronize();
            KernelCounters counters = device.counters().get("linear_blocks_bf16_small");
            long sectors = counters.traffic().globalSectors - 2L * 64 * k * 2 / 32 - 64L * n * 4 / 32;
            long conflicts = 0;
            for (KernelCounters.Line line : counters.lines().values()) {
                if (line.kind == InstructionClass.LDMATRIX || line.text.startsWith("st.shared.v2")) {
                    conflicts += line.traffic.sharedConflictCycles;
                }
            }
            assertThat(sectors * 32.0).as("bytes of sectors").isLessThan(1.1 * w.byteSize());

            int cuts = n / 16 * k / 128;
            assertThat(counters.traffic().sharedConflictCycles / cuts).as("cycles lost for each 16 x 128 elements")
                    .isLessThan(w.bytes().cols() % 32 == 0 ? 14 : 90);
            assertThat(conflicts).as("bank conflicts where tiles are written and read").isZero();
            assertThat(counters.traffic().globalBytesWritten).isEqualTo(64 * n * 4);
        }
    }
}
