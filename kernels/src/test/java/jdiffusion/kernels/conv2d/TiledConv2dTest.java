package jdiffusion.kernels.conv2d;

import static org.assertj.core.api.Assertions.assertThat;

import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.InterpretedCpu;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Convolutions on AMX's tiles, whose machine code is interpreted, so on every machine. */
class TiledConv2dTest {
    static Conv2dShape[] ragged() {
        return new Conv2dShape[] {Conv2dShape.same(1, 1, 1, 1, 1, 1), Conv2dShape.same(2, 5, 7, 3, 65, 3),
            Conv2dShape.same(1, 9, 6, 64, 3, 3), Conv2dShape.same(1, 4, 13, 17, 63, 1),
            new Conv2dShape(2, 9, 7, 5, 6, 3, 2, 1, 1), Conv2dShape.same(1, 8, 8, 32, 32, 3)};
    }

    @ParameterizedTest
    @MethodSource("ragged")
    void isAsCloseAsNaiveCode(Conv2dShape s) {
        for (DType type : new DType[] {DType.BF16, DType.F32}) {
            float[] x = TestTensors.gaussian(1, s.batch() * s.height() * s.width() * s.cin(), 1);
            Tensor weight = TestTensors.random(2, type, 1 / Math.sqrt(s.cin() * s.kernel() * s.kernel()), s.cout(),
                    s.cin(), s.kernel(), s.kernel());
            Tensor bias = TestTensors.random(3, type, 1, s.cout());
            float[] old = TestTensors.gaussian(4, s.batch() * s.outHeight() * s.outWidth() * s.cout(), 1);
            Tensor out = Tensor.of(old.clone(), s.batch(), s.outHeight(), s.outWidth(), s.cout());
            try (Cpu cpu = InterpretedCpu.withTiles(2)) {
                new CpuConv2d(cpu).run(s, Tensor.of(x, s.batch(), s.height(), s.width(), s.cin()), weight, bias,
                        Epilogue.ADD, out);
            }
            float[] xs = TestTensors.rounded(Precision.BF16, x);
            float[] ws = TestTensors.rounded(Precision.BF16, weight.toArray());
            assertThat(out.toArray()).isNotEqualTo(old);
            Closeness.check(s + " " + type, out.toArray(), Conv2dReference.exact(s, xs, ws, bias.toArray(), old),
                    Conv2dReference.naive(s, xs, ws, bias.toArray(), old));
        }
    }
}
