package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/** Linear layers on a device against the weights as {@link Weight#read} gives them. */
final class CudaWeights {
    private CudaWeights() {
    }

    /** How a layer is run. */
    record Form(int m, DType x, DType out, Epilogue.Mode mode, Activation activation) {
        static Form plain(int m, DType x) {
            return new Form(m, x, DType.F32, Epilogue.Mode.STORE, Activation.NONE);
        }

        /** Both ways in which x is read, and all that may follow the product. */
        static List<Form> all(DType operand) {
            return List.of(plain(1, operand), plain(9, DType.F32),
                    new Form(67, operand, DType.F32, Epilogue.Mode.STORE, Activation.GELU_TANH),
                    new Form(20, operand, operand, Epilogue.Mode.ADD, Activation.NONE),
                    new Form(3, DType.F32, DType.F32, Epilogue.Mode.MULTIPLY, Activation.SILU));
        }
    }

    /** All elements, [rows, cols], of a matrix on the host. */
    static float[] read(Weight w) {
        float[] values = new float[w.rows() * w.cols()];
        for (int r = 0; r < w.rows(); r++) {
            w.read(r, 0, w.cols(), values, r * w.cols());
        }
        return values;
    }

    /** x = I gives the transpose of the weight as the tensor cores see it. */
    static float[] seen(TestDevice device, Weight placed) {
        int k = placed.cols();
        float[] identity = new float[k * k];
        for (int i = 0; i < k; i++) {
            identity[i * k + i] = 1;
        }
        Tensor out = device.empty(DType.F32, k, placed.rows());
        new CudaLinear(device.cuda()).run(List.of(new LinearCall(
                device.put(device.cuda().operandType(), identity, k, k), placed, null, Epilogue.STORE, out)));
        float[] transposed = device.get(out);
        float[] values = new float[transposed.length];
        for (int r = 0; r < placed.rows(); r++) {
            for (int c = 0; c < k; c++) {
                // Adding 0 to a sum turns -0 into 0.
                values[r * k + c] = transposed[c * placed.rows() + r] + 0f;
            }
        }
        return values;
    }

    /** As stored in a type, with 0 for -0. */
    static float[] rounded(DType type, float[] values) {
        float[] rounded = Samples.rounded(type, values);
        for (int i = 0; i < rounded.length; i++) {
            rounded[i] += 0f;
        }
        return rounded;
    }

    /** Runs a layer with what lies on the device and compares with the elements that the product is made of. */
    static void check(String what, TestDevice device, Form form, Weight placed, float[] ws) {
        int n = placed.rows();
        int k = placed.cols();
        DType product = form.x == DType.F32 ? device.cuda().operandType() : form.x;
        float[] x = Samples.rounded(form.x, Samples.normal(11, (long) form.m * k, 0, 1));
        float[] old = Samples.rounded(form.out, Samples.normal(12, (long) form.m * n, 0, 1));
        float[] gate = form.mode == Epilogue.Mode.ADD ? Samples.normal(13, 2 * n, 0, 1) : null;
        Tensor bias = Samples.stored(DType.BF16, Samples.normal(14, n, 0, 1), n);
        Tensor out = device.put(form.out, old, form.m, n);
        Epilogue epilogue = new Epilogue(form.activation, form.mode,
                gate == null ? null : device.put(DType.F32, gate, 2, n));
        LinearCall call = new LinearCall(device.put(form.x, x, form.m, k), placed, device.put(bias), epilogue, out);
        new CudaLinear(device.cuda()).run(List.of(call));
        float[] xs = Samples.rounded(product, x);
        float[] got = device.get(out);
        float[] naive = LinearReference.naive(form.m, n, k, xs, ws, bias.toArray(), form.activation, form.mode, gate,
                old);
        Closeness.check(what + ", " + form, got, LinearReference.exact(form.m, n, k, xs, ws, bias.toArray(),
                form.activation, form.mode, gate, old), Samples.rounded(form.out, naive));
    }

    /** A copy on the device, as it is. */
    static Weight put(TestDevice device, Weight w) {
        return w.place(device::put);
    }

    static Delta.LowRank pair(long seed, DType type, int rank, int n, int k, float scale) {
        return new Delta.LowRank(Samples.stored(type, Samples.normal(seed, (long) rank * k, 0, 0.3), rank, k),
                Samples.stored(type, Samples.normal(seed + 1, (long) n * rank, 0, 0.3), n, rank), scale);
    }

    static void assertSame(String what, float[] got, float[] expected) {
        assertThat(got).as(what).isEqualTo(expected);
    }
}
