package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.function.Consumer;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Samples;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cuda.TestDevice;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/** A linear layer with random operands on a CUDA device, beside its definition. */
final class SampledLinear {
    private SampledLinear() {
    }

    /** Layers without adapters, as the kernels of compute capability 9.0 take them. */
    static List<CudaMappedLinear.Factors> factors(List<LinearCall> calls) {
        return calls.stream().map(call -> CudaMappedLinear.Factors.of(call, null, null)).toList();
    }

    /** Runs a sample on the device and compares with the truth, and the error with that of plain loops. */
    static void check(TestDevice device, Consumer<List<LinearCall>> linear, LinearSample s) {
        LinearCase c = s.size();
        // Rows with gaps begin anywhere, also where nothing is aligned.
        Tensor x = device.put(TestTensors.random(1, s.x(), 1, c.m(), c.k() + s.gaps())).columns(s.gaps(),
                c.k() + s.gaps());
        Tensor w = device.put(TestTensors.random(2, c.type(), 1 / Math.sqrt(c.k()), c.n(), c.k() + s.gaps()))
                .columns(s.gaps(), c.k() + s.gaps());
        Tensor bias = s.bias() == null ? null : device.put(TestTensors.random(3, s.bias(), 1, c.n()));
        Tensor gate = s.gate() == 0 ? null : device.put(TestTensors.random(4, DType.F32, 1, s.gate(),
                c.n() + s.gaps())).columns(0, c.n());
        Tensor wide = device.put(TestTensors.random(5, s.out(), 1, c.m(), c.n() + 2 * s.gaps()));
        Tensor out = wide.columns(s.gaps(), c.n() + s.gaps());
        float[] before = device.get(wide);
        float[] old = device.get(out);
        Epilogue epilogue = new Epilogue(s.activation(), s.mode(), gate);
        linear.accept(List.of(new LinearCall(x, Weight.of(w), bias, epilogue, out)));
        float[] xs = rounded(s.product(), device.get(x));
        float[] ws = rounded(s.product(), device.get(w));
        float[] bs = bias == null ? null : device.get(bias);
        float[] gs = gate == null ? null : device.get(gate);
        Closeness.check(s.toString(), device.get(out),
                LinearReference.exact(c.m(), c.n(), c.k(), xs, ws, bs, s.activation(), s.mode(), gs, old),
                rounded(s.out(), LinearReference.naive(c.m(), c.n(), c.k(), xs, ws, bs, s.activation(), s.mode(), gs,
                        old)));
        float[] after = device.get(wide);
        for (int i = 0; i < after.length; i++) {
            int col = i % wide.cols() - s.gaps();
            if (col < 0 || col >= c.n()) {
                assertThat(after[i]).as("beside the output, element " + i).isEqualTo(before[i]);
            }
        }
        device.clear();
    }

    private static float[] rounded(DType type, float[] values) {
        return type == DType.F32 ? values : Samples.stored(type, values, values.length).toArray();
    }
}
