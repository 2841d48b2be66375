package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import jdiffusion.emulator.KernelCounters.InstructionClass;
import jdiffusion.emulator.KernelCounters;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FloatFormat;
import jdiffusion.tensor.FourBitWeight;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Linear layers with weights in 4 bits on a CUDA device. */
@OnDevice
class CudaNf4Test {
    private static final List<FourBitCase> CASES =
            Stream.of(FourBitCase.ALL).filter(c -> c.cols() <= 1088).toList();

    /** x = I gives the transpose of the weight as the tensor cores see it. */
    @ParameterizedTest
    @EnumSource(names = {"BF16", "F16"})
    void elementsToTheBit(DType operand) {
        try (TestDevice device = TestDevice.open(operand)) {
            for (FourBitCase c : CASES) {
                FourBitWeight w = c.make(3);
                assertThat(dequantised(device, w)).as(c.toString()).isEqualTo(rounded(operand, FourBitCase.values(w)));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"BF16", "F16"})
    void elementsOfBitsandbytesToTheBit(DType operand) {
        try (FourBitReference reference = FourBitReference.open(); TestDevice device = TestDevice.open(operand)) {
            for (String name : reference.names()) {
                float[] dense = reference.expected(name, "dequantized").toArray();
                assertThat(dequantised(device, reference.weight(name))).as(name).isEqualTo(rounded(operand, dense));
            }
        }
    }

    @Test
    void productsAreAsGoodAsNaiveOnes() {
        try (TestDevice device = TestDevice.open()) {
            for (FourBitCase c : CASES) {
                FourBitWeight w = c.make(4);
                check(device, 1, w, DType.BF16, DType.F32, Epilogue.Mode.STORE, Activation.NONE);
                check(device, 67, w, DType.BF16, DType.F32, Epilogue.Mode.STORE, Activation.GELU_TANH);
                check(device, 20, w, DType.F32, DType.BF16, Epilogue.Mode.STORE, Activation.NONE);
                check(device, 20, w, DType.BF16, DType.F32, Epilogue.Mode.ADD, Activation.NONE);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"BF16", "F16"})
    void manyRowsTakeTheWideTile(DType operand) {
        FourBitWeight w = new FourBitCase(1540, 128, 64, true).make(5);
        try (TestDevice device = TestDevice.open(operand)) {
            check(device, 450, w, operand, DType.F32, Epilogue.Mode.STORE, Activation.NONE);
        }
    }

    /** More scales than are made at once, and more nested scales than are kept at hand. */
    @Test
    void longRows() {
        FourBitWeight w = new FourBitCase(70, 18_432, 64, true).make(6);
        try (TestDevice device = TestDevice.open()) {
            check(device, 3, w, DType.BF16, DType.F32, Epilogue.Mode.STORE, Activation.NONE);
        }
    }

    @Test
    void layersOfSeveralKindsInOneCall() {
        List<LinearCall> calls = new ArrayList<>();
        List<float[]> expected = new ArrayList<>();
        try (TestDevice device = TestDevice.open()) {
            for (int i = 0; i < 20; i++) {
                FourBitWeight w = new FourBitCase(10 + 7 * i, 64 + i % 3 * 32, 64, i % 2 == 0).make(i);
                int m = 1 + 5 * i;
                Tensor x = device.put(DType.BF16, Samples.normal(50 + i, (long) m * w.cols(), 0, 1), m, w.cols());
                LinearCall alone = new LinearCall(x, put(device, w), null, Epilogue.STORE,
                        device.empty(DType.F32, m, w.rows()));
                new CudaLinear(device.cuda()).run(List.of(alone));
                expected.add(device.get(alone.out()));
                calls.add(new LinearCall(x, alone.w(), null, Epilogue.STORE, device.empty(DType.F32, m, w.rows())));
            }
            new CudaLinear(device.cuda()).run(calls);
            for (int i = 0; i < calls.size(); i++) {
                assertThat(device.get(calls.get(i).out())).as("layer " + i).isEqualTo(expected.get(i));
            }
        }
    }

    /** The q, k and v of a checkpoint in 4 bits, one of them left dense. */
    @Test
    void quantisedAndDenseMatricesInOneWeight() {
        FourBitWeight first = new FourBitCase(70, 128, 64, true).make(20);
        FourBitWeight last = new FourBitCase(33, 128, 64, false).make(21);
        Tensor dense = Samples.stored(DType.BF16, Samples.normal(22, 64 * 128, 0, 0.1), 64, 128);
        try (TestDevice device = TestDevice.open()) {
            Tensor x = device.put(DType.BF16, Samples.normal(23, 9 * 128, 0, 1), 9, 128);
            List<Weight> parts = List.of(put(device, first), Weight.of(device.put(dense)), put(device, last));
            Tensor out = device.empty(DType.F32, 9, 167);
            new CudaLinear(device.cuda()).run(List.of(new LinearCall(x, new Weight.Rows(parts), null, Epilogue.STORE,
                    out)));
            int from = 0;
            for (Weight part : parts) {
                Tensor alone = device.empty(DType.F32, 9, part.rows());
                new CudaLinear(device.cuda()).run(List.of(new LinearCall(x, part, null, Epilogue.STORE, alone)));
                assertThat(device.get(out.columns(from, from + part.rows()))).isEqualTo(device.get(alone));
                from += part.rows();
            }
        }
    }

    /** Codes and their scales pass once, in whole sectors, and what is written is the output alone. */
    @Test
    void memoryDeliversTheCodesAlone() {
        assumeFalse(TestDevice.isReal(), "only the emulated device counts");
        FourBitWeight w = new FourBitCase(128, 1536, 64, true).make(7);
        try (TestDevice device = TestDevice.profiling()) {
            Tensor x = device.put(DType.BF16, Samples.normal(8, 64 * 1536, 0, 1), 64, 1536);
            new CudaLinear(device.cuda()).run(List.of(new LinearCall(x, put(device, w), null, Epilogue.STORE,
                    device.empty(DType.F32, 64, 128))));
            device.cuda().synchronize();
            KernelCounters counters = device.counters().get("linear_nf4_bf16_small");
            long bytes = 0;
            long sectors = 0;
            long conflicts = 0;
            for (KernelCounters.Line line : counters.lines().values()) {
                if (line.kind == InstructionClass.GLOBAL && line.traffic.globalBytesRead > 0) {
                    bytes += line.traffic.globalBytesRead;
                    sectors += line.traffic.globalSectors;
                }
                if (line.kind == InstructionClass.LDMATRIX || line.text.startsWith("st.shared.v4")) {
                    conflicts += line.traffic.sharedConflictCycles;
                }
            }
            double parameters = 128 * 1536;
            assertThat(bytes / parameters).as("bytes that lanes read for each parameter").isBetween(0.5, 0.57);
            assertThat(sectors * 32 / parameters).as("bytes of sectors for each parameter").isLessThan(0.57);
            assertThat(conflicts).as("bank conflicts where tiles are written and read").isZero();
            assertThat(counters.traffic().globalBytesWritten).isEqualTo(64 * 128 * 4);
        }
    }

    private static float[] dequantised(TestDevice device, FourBitWeight w) {
        int k = w.cols();
        float[] identity = new float[k * k];
        for (int i = 0; i < k; i++) {
            identity[i * k + i] = 1;
        }
        Tensor x = device.put(device.cuda().operandType(), identity, k, k);
        Tensor out = device.empty(DType.F32, k, w.rows());
        new CudaLinear(device.cuda()).run(List.of(new LinearCall(x, put(device, w), null, Epilogue.STORE, out)));
        float[] transposed = device.get(out);
        float[] values = new float[transposed.length];
        for (int r = 0; r < w.rows(); r++) {
            for (int c = 0; c < k; c++) {
                // Adding 0 to a sum turns -0 into 0.
                values[r * k + c] = transposed[c * w.rows() + r] + 0f;
            }
        }
        device.clear();
        return values;
    }

    private static float[] rounded(DType type, float[] values) {
        float[] rounded = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            rounded[i] = 0f + switch (type) {
                case F32 -> values[i];
                case BF16 -> FloatFormat.bf16ToFloat(FloatFormat.floatToBf16(values[i]));
                default -> FloatFormat.f16ToFloat(FloatFormat.floatToF16(values[i]));
            };
        }
        return rounded;
    }

    private static void check(TestDevice device, int m, FourBitWeight w, DType xType, DType outType,
                              Epilogue.Mode mode, Activation activation) {
        int n = w.rows();
        int k = w.cols();
        float[] x = rounded(xType, Samples.normal(11, (long) m * k, 0, 1));
        float[] old = rounded(outType, Samples.normal(12, (long) m * n, 0, 1));
        float[] gate = mode == Epilogue.Mode.ADD ? Samples.normal(13, n, 0, 1) : null;
        Tensor bias = Samples.stored(DType.BF16, Samples.normal(14, n, 0, 1), n);
        Tensor out = device.put(outType, old, m, n);
        Epilogue epilogue = new Epilogue(activation, mode, gate == null ? null : device.put(DType.F32, gate, 1, n));
        new CudaLinear(device.cuda()).run(List.of(new LinearCall(device.put(xType, x, m, k), put(device, w),
                device.put(bias), epilogue, out)));
        DType operand = device.cuda().operandType();
        float[] xs = rounded(operand, x);
        float[] ws = rounded(operand, FourBitCase.values(w));
        float[] naive = LinearReference.naive(m, n, k, xs, ws, bias.toArray(), activation, mode, gate, old);
        Closeness.check(m + " rows by " + n + "x" + k, device.get(out),
                LinearReference.exact(m, n, k, xs, ws, bias.toArray(), activation, mode, gate, old),
                rounded(outType, naive));
        device.clear();
    }

    private static FourBitWeight put(TestDevice device, FourBitWeight w) {
        FourBitWeight.Nested nested = w.nested() == null ? null : new FourBitWeight.Nested(w.nested().blockSize(),
                device.put(w.nested().absmax()), device.put(w.nested().map()), w.nested().offset());
        return new FourBitWeight(w.rows(), w.cols(), device.put(w.codes()), device.put(w.map()), w.blockSize(),
                device.put(w.absmax()), nested);
    }
}
