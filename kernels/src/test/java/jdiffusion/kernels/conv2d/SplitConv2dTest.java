package jdiffusion.kernels.conv2d;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.SplitNumbers;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.InterpretedCpu;
import jdiffusion.kernels.groupnorm.GroupNormCall;
import jdiffusion.kernels.machine.TileCount;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Convolutions whose factors are split into parts, on AMX's tiles, whose machine code is interpreted. */
class SplitConv2dTest {
    private static Conv2dShape[] ragged() {
        return new Conv2dShape[] {Conv2dShape.same(1, 1, 1, 1, 1, 1), Conv2dShape.same(2, 5, 7, 3, 65, 3),
            Conv2dShape.same(1, 9, 6, 64, 3, 3), new Conv2dShape(2, 9, 7, 5, 6, 3, 2, 1, 1),
            Conv2dShape.same(1, 4, 10, 224, 40, 3)};
    }

    @ParameterizedTest
    @EnumSource(names = {"BF16X2", "BF16X3"})
    void isAsCloseAsNaiveCode(Precision precision) {
        for (Conv2dShape s : ragged()) {
            for (DType type : new DType[] {DType.BF16, DType.F16, DType.F32}) {
                float[] x = TestTensors.gaussian(1, s.batch() * s.height() * s.width() * s.cin(), 1);
                Tensor weight = TestTensors.random(2, type, 1 / Math.sqrt(s.cin() * s.kernel() * s.kernel()), s.cout(),
                        s.cin(), s.kernel(), s.kernel());
                Tensor bias = TestTensors.random(3, type, 1, s.cout());
                float[] old = TestTensors.gaussian(4, s.batch() * s.outHeight() * s.outWidth() * s.cout(), 1);
                Tensor out = Tensor.of(old.clone(), s.batch(), s.outHeight(), s.outWidth(), s.cout());
                try (Cpu cpu = InterpretedCpu.withParts(precision, 2, new TileCount())) {
                    new CpuConv2d(cpu).run(s, Tensor.of(x, s.batch(), s.height(), s.width(), s.cin()), weight, bias,
                            Epilogue.ADD, out);
                }
                Closeness.check(s + " " + type + " " + precision, out.toArray(),
                        Conv2dReference.exact(s, x, weight.toArray(), bias.toArray(), old),
                        naive(precision.parts(), s, x, weight, bias.toArray(), old));
            }
        }
    }

    /** Naive code with every channel as often as there are products of its parts. */
    private static float[] naive(int left, Conv2dShape s, float[] x, Tensor weight, float[] bias, float[] old) {
        int right = Math.min(left, weight.type() == DType.F32 ? 3 : weight.type() == DType.F16 ? 2 : 1);
        int terms = SplitNumbers.terms(left, right);
        int taps = s.kernel() * s.kernel();
        float[] split = SplitNumbers.right(weight.toArray(), left, right);
        float[] channelsApart = new float[split.length];
        for (int i = 0; i < split.length; i++) {
            int tap = i / terms % taps;
            channelsApart[(i / terms / taps * terms + i % terms) * taps + tap] = split[i];
        }
        Conv2dShape wide = new Conv2dShape(s.batch(), s.height(), s.width(), s.cin() * terms, s.cout(), s.kernel(),
                s.stride(), s.padLow(), s.padHigh());
        return Conv2dReference.naive(wide, SplitNumbers.left(x, left, right), channelsApart, bias, old);
    }

    @ParameterizedTest
    @EnumSource(names = {"BF16X2", "BF16X3"})
    void ofNormedAndDoubledImages(Precision precision) {
        int height = 5;
        int width = 6;
        int channels = 64;
        int out = 40;
        Tensor x = TestTensors.random(1, DType.F32, 1, 2, height, width, channels);
        Tensor weight = TestTensors.random(2, DType.BF16, 0.05, out, channels, 3, 3);
        Tensor bias = TestTensors.random(3, DType.F32, 1, out);
        GroupNormCall norm = new GroupNormCall(8, TestTensors.random(4, DType.F32, 1, channels),
                TestTensors.random(5, DType.F32, 1, channels), 1e-6f, Activation.SILU);
        Conv2dShape s = Conv2dShape.same(2, height, width, channels, out, 3);
        double allowed = precision == Precision.BF16X2 ? 2e-5 : 2e-6;
        Tensor normed = Tensor.of(new float[2 * height * width * out], 2, height, width, out);
        Tensor doubled = Tensor.of(new float[8 * height * width * out], 2, 2 * height, 2 * width, out);
        float[][] expected = new float[2][];
        try (Cpu cpu = new Cpu(1, Precision.F32)) {
            CpuConv2d conv = new CpuConv2d(cpu);
            conv.runNormed(norm, s, x, weight, bias, Epilogue.STORE, normed);
            conv.runDoubled(x, weight, bias, doubled);
            expected[0] = normed.toArray();
            expected[1] = doubled.toArray();
        }
        for (int threads : new int[] {1, 3}) {
            try (Cpu cpu = InterpretedCpu.withParts(precision, threads, new TileCount())) {
                CpuConv2d conv = new CpuConv2d(cpu);
                conv.runNormed(norm, s, x, weight, bias, Epilogue.STORE, normed);
                conv.runDoubled(x, weight, bias, doubled);
            }
            assertThat(error(normed.toArray(), expected[0])).isBetween(Double.MIN_VALUE, allowed);
            assertThat(error(doubled.toArray(), expected[1])).isBetween(Double.MIN_VALUE, allowed);
        }
    }

    /** Root mean square of the error over that of the result. */
    private static double error(float[] got, float[] exact) {
        double squares = 0;
        double errors = 0;
        for (int i = 0; i < exact.length; i++) {
            squares += (double) exact[i] * exact[i];
            errors += ((double) got[i] - exact[i]) * (got[i] - exact[i]);
        }
        return Math.sqrt(errors / squares);
    }

    /** An image by itself and beside another, and any number of threads. */
    @ParameterizedTest
    @EnumSource(names = {"BF16X2", "BF16X3"})
    void resultsDoNotDependOnThreadsOrBatch(Precision precision) {
        Tensor x = TestTensors.random(1, DType.F32, 1, 2, 6, 9, 64);
        Tensor weight = TestTensors.random(2, DType.F16, 0.1, 70, 64, 3, 3);
        float[] both = run(precision, 1, Conv2dShape.same(2, 6, 9, 64, 70, 3), x, weight);
        assertThat(run(precision, 3, Conv2dShape.same(2, 6, 9, 64, 70, 3), x, weight)).isEqualTo(both);
        assertThat(run(precision, 2, Conv2dShape.same(1, 6, 9, 64, 70, 3), x.slice(1, 2), weight))
                .isEqualTo(Arrays.copyOfRange(both, 6 * 9 * 70, both.length));
    }

    private static float[] run(Precision precision, int threads, Conv2dShape s, Tensor x, Tensor weight) {
        Tensor out = Tensor.of(new float[s.batch() * s.outHeight() * s.outWidth() * s.cout()], s.batch(),
                s.outHeight(), s.outWidth(), s.cout());
        try (Cpu cpu = InterpretedCpu.withParts(precision, threads, new TileCount())) {
            new CpuConv2d(cpu).run(s, x, weight, null, Epilogue.STORE, out);
        }
        return out.toArray();
    }
}
