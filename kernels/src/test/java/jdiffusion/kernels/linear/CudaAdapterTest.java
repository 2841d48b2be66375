package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.stream.Stream;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cuda.OnDevice;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.kernels.linear.CudaWeights.Form;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.Stretched;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Scaled weights, and adapters beside weights of every kind, on a CUDA device. */
@OnDevice
class CudaAdapterTest {
    private static Weight scaled(DType type, int n, int k, float scale) {
        return new Weight.Scaled(Samples.stored(type, Samples.normal(5, (long) n * k, 0, 1), n, k), scale);
    }

    static Stream<Weight> bases() {
        return Stream.of(new FourBitCase(70, 128, 64, true).make(1), new FourBitCase(33, 96, 64, false).make(2),
                new BlocksCase(BlockFormat.Q5_0, 67, 96).make(3), new BlocksCase(BlockFormat.Q6_K, 9, 512).make(4),
                scaled(DType.F8_E4M3, 65, 72, 0.03f), Weight.of(Samples.stored(DType.F8_E5M2,
                        Samples.normal(6, 33 * 37, 0, 1), 33, 37)),
                Weight.of(Samples.stored(DType.BF16, Samples.normal(7, 70 * 64, 0, 1), 70, 64)));
    }

    /** A scale is applied to the sums, so that elements of 8 bits stay exact. */
    @ParameterizedTest
    @EnumSource(names = {"F8_E4M3", "F8_E5M2", "BF16"})
    void scaledElements(DType type) {
        for (DType operand : List.of(DType.BF16, DType.F16)) {
            try (TestDevice device = TestDevice.open(operand)) {
                for (int k : new int[] {72, 37}) {
                    Weight w = scaled(type, 67, k, 1.7e-3f);
                    for (Form form : Form.all(operand)) {
                        CudaWeights.check("scaled " + type, device, form, CudaWeights.put(device, w),
                                CudaWeights.read(w));
                    }
                }
                device.clear();
            }
        }
    }

    /** Two scales in one weight. */
    @Test
    void scalesOfTheirOwnInOneWeight() {
        Weight w = Weight.rows(scaled(DType.F8_E4M3, 40, 72, 2), scaled(DType.F8_E4M3, 50, 72, 0.1f),
                Weight.of(Samples.stored(DType.F8_E4M3, Samples.normal(8, 3 * 72, 0, 1), 3, 72)));
        try (TestDevice device = TestDevice.open()) {
            for (Form form : Form.all(DType.BF16)) {
                CudaWeights.check("scales", device, form, CudaWeights.put(device, w), CudaWeights.read(w));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("bases")
    void pairsBesideTheirMatrix(Weight base) {
        try (TestDevice device = TestDevice.open()) {
            Weight w = new Weight.Adapted(base, List.of(
                    CudaWeights.pair(20, DType.F16, 5, base.rows(), base.cols(), 0.7f)));
            for (Form form : Form.all(DType.BF16)) {
                check(device, form, w);
                device.clear();
            }
        }
    }

    /** A device of float16 whose wide inputs are bfloat16: up comes in both types. */
    @Test
    void inputsOfAnotherTypeThanTheDevices() {
        Weight base = new BlocksCase(BlockFormat.Q4_1, 40, 64).make(9);
        Weight w = new Weight.Adapted(base, List.of(CudaWeights.pair(20, DType.BF16, 40, 40, 64, 1)));
        try (TestDevice device = TestDevice.open(DType.F16)) {
            check(device, Form.plain(5, DType.F16), w);
            check(device, Form.plain(5, DType.BF16), w);
        }
    }

    /** Many blocks: the large and wide tiles. */
    @ParameterizedTest
    @EnumSource(names = {"Q8_0"})
    void largeTiles(BlockFormat format) {
        try (TestDevice device = TestDevice.open()) {
            for (Weight base : List.of(new BlocksCase(format, 2070, 32).make(1), scaled(DType.F8_E4M3, 6300, 32, 1))) {
                check(device, Form.plain(200, DType.BF16), new Weight.Adapted(base,
                        List.of(CudaWeights.pair(20, DType.BF16, 8, base.rows(), 32, 1))));
                device.clear();
            }
        }
    }

    /** Several pairs are one, adapters of joined matrices are divided among them, and nested ones are joined. */
    @Test
    void severalPairsOfJoinedMatrices() {
        Weight first = new BlocksCase(BlockFormat.Q4_K, 40, 256).make(1);
        Weight second = new FourBitCase(27, 256, 64, true).make(2);
        Delta.LowRank ofFirst = CudaWeights.pair(30, DType.BF16, 3, 40, 256, 0.5f);
        Weight w = new Weight.Adapted(Weight.rows(new Weight.Adapted(first, List.of(ofFirst)), second),
                List.of(CudaWeights.pair(32, DType.F32, 4, 67, 256, -2),
                        CudaWeights.pair(34, DType.F16, 2, 67, 256, 1)));
        try (TestDevice device = TestDevice.open()) {
            Form form = Form.plain(9, DType.BF16);
            Weight placed = form(DType.BF16, w).place(device::put);
            float[] xs = Samples.rounded(DType.BF16, Samples.normal(11, 9 * 256, 0, 1));
            Tensor out = device.empty(DType.F32, 9, 67);
            LinearCall call = new LinearCall(device.put(DType.BF16, xs, 9, 256), placed, null, Epilogue.STORE, out);
            assertThat(CudaLinear.scratchBytes(List.of(call), DType.BF16, false)).as("16 and 8 of rank")
                    .isEqualTo(512 + 256);
            new CudaLinear(device.cuda()).run(List.of(call));
            float[] naive = new float[9 * 67];
            for (int part = 0; part < 2; part++) {
                int from = part == 0 ? 0 : 40;
                Weight.Adapted one = (Weight.Adapted) ((Weight.Rows) form(DType.BF16, w)).parts().get(part);
                float[] values = naive(form, DType.BF16, xs, one, null, null, new float[9 * one.rows()]);
                for (int row = 0; row < 9; row++) {
                    System.arraycopy(values, row * one.rows(), naive, row * 67 + from, one.rows());
                }
            }
            float[] bases = new float[67 * 256];
            Weight plain = Weight.rows(first, second);
            System.arraycopy(Samples.rounded(DType.BF16, CudaWeights.read(plain)), 0, bases, 0, bases.length);
            float[] whole = CudaWeights.read(w);
            float[] base = CudaWeights.read(plain);
            for (int i = 0; i < whole.length; i++) {
                bases[i] += whole[i] - base[i];
            }
            Closeness.check("joined", device.get(out), LinearReference.exact(9, 67, 256, xs, bases, null,
                    form.activation(), form.mode(), null, naive), naive);
        }
    }

    /** A Kronecker product has no low rank: its sum with a quantised matrix is a dense one. */
    @Test
    void kroneckerProductsAreExpanded() {
        Weight base = new BlocksCase(BlockFormat.Q3_K, 6, 256).make(1);
        Delta product = Delta.Kronecker.of(Samples.stored(DType.F32, Samples.normal(1, 3 * 4, 0, 1), 3, 4), null,
                Samples.stored(DType.F32, Samples.normal(2, 2 * 64, 0, 1), 2, 64), 0.5f);
        Weight w = new Weight.Adapted(base, List.of(product));
        Weight form = form(DType.F16, w);
        assertThat(form).isInstanceOf(Weight.Dense.class);
        assertThat(CudaWeights.read(form)).isEqualTo(Samples.rounded(DType.F16, CudaWeights.read(w)));
        assertThat(new AdapterForm(DType.F16, true).of(w, false).byteSize()).isEqualTo(form.byteSize());
    }

    /** On a device DoRA's matrix is a dense one too, rounded once, of its own type where that is wide. */
    @Test
    void stretchedMatricesAreExpanded() {
        Tensor factors = Samples.stored(DType.F32, Samples.normal(3, 6, 1, 1), 6);
        for (Weight base : List.of(new BlocksCase(BlockFormat.Q3_K, 6, 256).make(1),
                Weight.of(Samples.stored(DType.F32, Samples.normal(4, 6 * 256, 0, 1), 6, 256)))) {
            DType type = base instanceof Weight.Dense ? DType.F32 : DType.F16;
            Weight stretched = new Stretched(base, factors, null);
            for (Weight w : List.of(stretched, new Weight.Adapted(new Weight.Adapted(stretched,
                    List.of(CudaWeights.pair(1, DType.BF16, 3, 6, 256, 1))),
                    List.of(CudaWeights.pair(2, DType.BF16, 2, 6, 256, 1))))) {
                for (boolean merging : new boolean[] {true, false}) {
                    Weight form = new AdapterForm(DType.F16, false).of(w, merging);
                    assertThat(((Weight.Dense) form).tensor().type()).isEqualTo(type);
                    assertThat(CudaWeights.read(form)).isEqualTo(Samples.rounded(type, CudaWeights.read(w)));
                    assertThat(new AdapterForm(DType.F16, true).of(w, merging).byteSize()).isEqualTo(form.byteSize());
                }
            }
            LinearCall call = new LinearCall(Samples.stored(DType.BF16, new float[256], 1, 256), stretched, null,
                    Epilogue.STORE, Samples.stored(DType.F32, new float[6], 1, 6));
            assertThatThrownBy(() -> CudaLinear.scratchBytes(List.of(call), DType.BF16, false))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("was not placed");
        }
    }

    @Test
    void adaptersThatWereNotPlacedAreRefused() {
        Weight base = new BlocksCase(BlockFormat.Q4_0, 6, 64).make(1);
        Weight w = new Weight.Adapted(base, List.of(CudaWeights.pair(1, DType.BF16, 3, 6, 64, 1)));
        LinearCall call = new LinearCall(Samples.stored(DType.BF16, new float[64], 1, 64), w, null, Epilogue.STORE,
                Samples.stored(DType.F32, new float[6], 1, 6));
        assertThatThrownBy(() -> CudaLinear.scratchBytes(List.of(call), DType.BF16, false))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("was not placed");
    }

    private static Weight form(DType operand, Weight w) {
        return new AdapterForm(operand, false).of(w, false);
    }

    /** A layer against its whole matrix, allowed twice the error of plain loops that round where the device does. */
    private static void check(TestDevice device, Form form, Weight w) {
        DType operand = device.cuda().operandType();
        DType product = form.x() == DType.F32 ? operand : form.x();
        Weight.Adapted adapted = (Weight.Adapted) form(operand, w);
        int m = form.m();
        int n = w.rows();
        int k = w.cols();
        float[] x = Samples.rounded(form.x(), Samples.normal(11, (long) m * k, 0, 1));
        float[] xs = Samples.rounded(product, x);
        float[] old = Samples.rounded(form.out(), Samples.normal(12, (long) m * n, 0, 1));
        float[] gate = form.mode() == Epilogue.Mode.ADD ? Samples.normal(13, n, 0, 1) : null;
        Tensor bias = Samples.stored(DType.BF16, Samples.normal(14, n, 0, 1), n);
        Tensor out = device.put(form.out(), old, m, n);
        new CudaLinear(device.cuda()).run(List.of(new LinearCall(device.put(form.x(), x, m, k),
                CudaWeights.put(device, adapted), device.put(bias), new Epilogue(form.activation(), form.mode(),
                gate == null ? null : device.put(DType.F32, gate, 1, n)), out)));
        // The whole matrix, but for the rounding of the base, which is the format's and not the adapter's.
        float[] whole = CudaWeights.read(w);
        float[] base = CudaWeights.read(adapted.base());
        float[] operands = operands(product, adapted.base());
        for (int i = 0; i < whole.length; i++) {
            whole[i] = operands[i] + (whole[i] - base[i]);
        }
        float[] naive = naive(form, product, xs, adapted, bias.toArray(), gate, old);
        Closeness.check(w.getClass().getSimpleName() + " " + form, device.get(out), LinearReference.exact(m, n, k, xs,
                whole, bias.toArray(), form.activation(), form.mode(), gate, old), Samples.rounded(form.out(), naive));
    }

    /** x by the base, and x through the pair with its 16 bits in between. */
    private static float[] naive(Form form, DType product, float[] xs, Weight.Adapted w, float[] bias, float[] gate,
                                 float[] old) {
        Delta.LowRank pair = (Delta.LowRank) w.deltas().getFirst();
        int m = form.m();
        int k = w.cols();
        int rank = pair.down().rows();
        float[] t = LinearReference.naive(m, rank, k, xs, Samples.rounded(product, pair.down().toArray()), null,
                Activation.NONE, Epilogue.Mode.STORE, null, null);
        for (int i = 0; i < t.length; i++) {
            t[i] *= pair.scale();
        }
        float[] both = joined(m, k, xs, rank, Samples.rounded(product, t));
        float[] ws = joined(w.rows(), k, operands(product, w.base()), rank,
                Samples.rounded(product, pair.up().toArray()));
        return LinearReference.naive(m, w.rows(), k + rank, both, ws, bias, form.activation(), form.mode(), gate, old);
    }

    private static float[] operands(DType product, Weight base) {
        float[] values = CudaWeights.read(base);
        return base instanceof Weight.Scaled ? values : Samples.rounded(product, values);
    }

    static float[] joined(int rows, int k, float[] left, int rank, float[] right) {
        float[] all = new float[rows * (k + rank)];
        for (int row = 0; row < rows; row++) {
            System.arraycopy(left, row * k, all, row * (k + rank), k);
            System.arraycopy(right, row * rank, all, row * (k + rank) + k, rank);
        }
        return all;
    }
}
