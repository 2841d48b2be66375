package jdiffusion.kernels.conv2d;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.counting.CountingBackend;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.kernels.groupnorm.CpuGroupNorm;
import jdiffusion.kernels.groupnorm.GroupNormCall;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.kernels.machine.Levels;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class Conv2dTest {
    /** Numbers of a sum that may be rounded the other way, each by a step of bfloat16, at most a 128th of it. */
    private static final int FEW = 4;

    static Stream<Conv2dShape> ragged() {
        return Arrays.stream(Conv2dCases.RAGGED);
    }

    @ParameterizedTest
    @MethodSource("ragged")
    void raggedSizes(Conv2dShape shape) {
        check(shape, DType.F32, Precision.F32, CpuLevel.best(), false);
        check(shape, DType.BF16, Precision.BF16, CpuLevel.best(), true);
    }

    @ParameterizedTest
    @EnumSource
    void everyLevelOfTheCpu(CpuLevel level) {
        Levels.assume(level);
        check(Conv2dCases.RAGGED[0], DType.F32, Precision.F32, level, false);
        for (Conv2dShape shape : Conv2dCases.RAGGED) {
            check(shape, DType.BF16, Precision.BF16, level, true);
        }
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
    void allWeightTypesInBothPrecisions(DType type) {
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            check(Conv2dShape.same(1, 6, 7, 5, 9, 3), type, precision, CpuLevel.best(), false);
        }
    }

    @Test
    void inputAndOutputMayHaveGapsBetweenPixels() {
        Conv2dShape s = new Conv2dShape(2, 5, 7, 6, 10, 3, 2, 1, 1);
        float[] x = TestTensors.gaussian(1, 2 * 5 * 7 * 6, 1);
        Tensor weight = TestTensors.random(2, DType.F32, 1, 10, 6, 3, 3);
        Tensor out = TestTensors.spread(new float[2 * 3 * 4 * 10], 2, 1, 2, 3, 4, 10);
        try (Cpu cpu = new Cpu(2, Precision.F32)) {
            new CpuConv2d(cpu).run(s, TestTensors.spread(x, 1, 4, 2, 5, 7, 6), weight, null, Epilogue.STORE, out);
        }
        assertThat(out.toArray()).isEqualTo(run(1, s, Tensor.of(x, 2, 5, 7, 6), weight));
        assertThat(TestTensors.gapsUntouched(out, 1)).isTrue();
    }

    /** Gaps as wide as what a pixel of three channels is filled up with, and nothing behind the last pixel. */
    @ParameterizedTest
    @EnumSource
    void whatLiesInGapsIsNotRead(CpuLevel level) {
        Levels.assume(level);
        Conv2dShape s = Conv2dShape.same(1, 5, 7, 3, 4, 3);
        float[] x = TestTensors.gaussian(1, 5 * 7 * 3, 1);
        Tensor weight = TestTensors.random(2, DType.F32, 1, 4, 3, 3, 3);
        Tensor spread = TestTensors.spread(x, 1, 0, 1, 5, 7, 3);
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            assertThat(run(2, precision, level, s, spread, weight))
                    .isEqualTo(run(2, precision, level, s, Tensor.of(x, 1, 5, 7, 3), weight));
        }
    }

    @Test
    void aNormThatFailedIsNotLeftForTheNextConvolution() {
        Conv2dShape s = Conv2dShape.same(1, 5, 7, 6, 4, 3);
        Tensor x = TestTensors.random(1, DType.F32, 1, 1, 5, 7, 6);
        Tensor weight = TestTensors.random(2, DType.F32, 1, 4, 6, 3, 3);
        Tensor out = Tensor.of(new float[5 * 7 * 4], 1, 5, 7, 4);
        try (Cpu cpu = new Cpu(1, Precision.F32)) {
            CpuConv2d conv2d = new CpuConv2d(cpu);
            GroupNormCall norm = new GroupNormCall(4, null, null, 1e-6f, Activation.SILU);
            assertThatThrownBy(() -> conv2d.runNormed(norm, s, x, weight, null, Epilogue.STORE, out))
                    .hasMessageContaining("in 4 groups");
            conv2d.run(s, x, weight, null, Epilogue.STORE, out);
        }
        assertThat(out.toArray()).isEqualTo(run(1, s, x, weight));
    }

    @ParameterizedTest
    @EnumSource
    void resultsDoNotDependOnThreadsOrBatch(CpuLevel level) {
        Levels.assume(level);
        Conv2dShape s = Conv2dShape.same(3, 11, 13, 60, 70, 3);
        Conv2dShape single = Conv2dShape.same(1, 11, 13, 60, 70, 3);
        Tensor x = TestTensors.random(1, DType.F32, 1, 3, 11, 13, 60);
        Tensor weight = TestTensors.random(2, DType.BF16, 1, 70, 60, 3, 3);
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            float[] one = run(1, precision, level, s, x, weight);
            assertThat(run(2, precision, level, s, x, weight)).isEqualTo(one);
            assertThat(run(5, precision, level, s, x, weight)).isEqualTo(one);
            float[] second = run(2, precision, level, single, x.slice(1, 2), weight);
            assertThat(second).isEqualTo(Arrays.copyOfRange(one, 11 * 13 * 70, 2 * 11 * 13 * 70));
        }
        assertThat(run(1, Precision.F32, level, s, x, weight))
                .isEqualTo(run(1, Precision.F32, CpuLevel.VECTOR, s, x, weight));
    }

    /** Each output pixel is a 2x2 convolution, with sums of weights that are rounded as inputs are. */
    @ParameterizedTest
    @EnumSource
    void ofDoubledImages(CpuLevel level) {
        Levels.assume(level);
        for (int[] size : new int[][] {{1, 1, 1, 1}, {5, 7, 3, 65}, {9, 6, 64, 3}, {3, 40, 32, 130}}) {
            Conv2dShape s = Conv2dShape.same(2, 2 * size[0], 2 * size[1], size[2], size[3], 3);
            float[] x = TestTensors.gaussian(1, 2 * size[0] * size[1] * size[2], 1);
            Tensor weight = TestTensors.random(2, DType.BF16, 1 / Math.sqrt(9 * s.cin()), s.cout(), s.cin(), 3, 3);
            Tensor bias = TestTensors.random(3, DType.F32, 1, s.cout());
            for (Precision precision : TestTensors.CPU_PRECISIONS) {
                Tensor out = Tensor.of(new float[2 * s.height() * s.width() * s.cout()], 2, s.height(), s.width(),
                        s.cout());
                try (Cpu cpu = new Cpu(2, precision, level)) {
                    new CpuConv2d(cpu).runDoubled(Tensor.of(x, 2, size[0], size[1], size[2]), weight, bias, out);
                }
                float[] rounded = TestTensors.rounded(precision, x);
                Closeness.check(s + " " + precision + " " + level, out.toArray(),
                        Conv2dReference.doubledExact(s, rounded, weight.toArray(), bias.toArray(), precision),
                        Conv2dReference.doubledNaive(s, rounded, weight.toArray(), bias.toArray(), precision));
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void ofDoubledImagesAreTheSameOnAnyThreadsAndInFloat32AtAllLevels(CpuLevel level) {
        Levels.assume(level);
        Tensor x = TestTensors.random(1, DType.F32, 1, 3, 11, 13, 60);
        Tensor weight = TestTensors.random(2, DType.BF16, 1, 70, 60, 3, 3);
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            float[] one = runDoubled(1, precision, level, x, weight);
            assertThat(runDoubled(3, precision, level, x, weight)).isEqualTo(one);
            assertThat(runDoubled(2, precision, level, x.slice(1, 2), weight))
                    .isEqualTo(Arrays.copyOfRange(one, one.length / 3, 2 * one.length / 3));
        }
        assertThat(runDoubled(1, Precision.F32, level, x, weight))
                .isEqualTo(runDoubled(1, Precision.F32, CpuLevel.VECTOR, x, weight));
    }

    private static float[] runDoubled(int threads, Precision precision, CpuLevel level, Tensor x, Tensor weight) {
        var s = x.shape();
        int cout = weight.shape().dim(0);
        Tensor out = Tensor.of(new float[4 * s.dim(0) * s.dim(1) * s.dim(2) * cout], s.dim(0), 2 * s.dim(1),
                2 * s.dim(2), cout);
        try (Cpu cpu = new Cpu(threads, precision, level)) {
            new CpuConv2d(cpu).runDoubled(x, weight, null, out);
        }
        return out.toArray();
    }

    /**
     * The same bits as one after the other, also where pixels are padded or have gaps, and for several images. Where
     * machine code activates instead of Java, some numbers are rounded the other way.
     */
    @ParameterizedTest
    @EnumSource
    void ofNormsAsOneAfterTheOther(CpuLevel level) {
        Levels.assume(level);
        for (int cin : new int[] {6, 64, 600}) {
            Conv2dShape s = Conv2dShape.same(2, 9, 14, cin, 5, 3);
            float[] values = TestTensors.gaussian(1, 2 * 9 * 14 * cin, 1);
            Tensor x = Tensor.of(values, 2, 9, 14, cin);
            Tensor weight = TestTensors.random(2, DType.BF16, 1 / Math.sqrt(9 * cin), 5, cin, 3, 3);
            GroupNormCall norm = new GroupNormCall(2, TestTensors.random(3, DType.F32, 1, cin),
                    TestTensors.random(4, DType.BF16, 1, cin), 1e-6f, Activation.SILU);
            for (Precision precision : TestTensors.CPU_PRECISIONS) {
                Tensor wanted = TestTensors.spread(TestTensors.gaussian(5, 2 * 9 * 14 * 5, 1), 1, 0, 2, 9, 14, 5);
                float[] old = wanted.toArray();
                try (Cpu cpu = new Cpu(2, precision, level)) {
                    CpuConv2d conv2d = new CpuConv2d(cpu);
                    Tensor normed = Tensor.of(new float[values.length], 2, 9, 14, cin);
                    new CpuGroupNorm(cpu).run(x, 2, norm.weight(), norm.bias(), 1e-6f, Activation.SILU, normed);
                    conv2d.run(s, normed, weight, null, Epilogue.ADD, wanted);
                    for (Tensor given : new Tensor[] {x, TestTensors.spread(values, 1, 4, 2, 9, 14, cin)}) {
                        Tensor out = Tensor.of(old.clone(), 2, 9, 14, 5);
                        conv2d.runNormed(norm, s, given, weight, null, Epilogue.ADD, out);
                        if (cin == 64 && given == x && cpu.products().inPairs()) {
                            float most = FEW * largest(normed.toArray()) * largest(weight.toArray()) / 128;
                            assertThat(out.toArray()).usingComparatorWithPrecision(most).containsExactly(wanted.toArray());
                        } else {
                            assertThat(out.toArray()).isEqualTo(wanted.toArray());
                        }
                    }
                }
            }
        }
    }

    private static float largest(float[] values) {
        float largest = 0;
        for (float value : values) {
            largest = Math.max(largest, Math.abs(value));
        }
        return largest;
    }

    static List<Conv2dShape> batches() {
        return List.of(Conv2dShape.same(3, 5, 7, 6, 70, 3), Conv2dShape.same(2, 9, 6, 64, 20, 1),
                new Conv2dShape(2, 9, 7, 5, 6, 3, 2, 1, 1));
    }

    /** As if each image were convolved on its own. */
    @ParameterizedTest
    @EnumSource
    void everyImageMayHaveABiasOfItsOwn(CpuLevel level) {
        Levels.assume(level);
        for (Conv2dShape s : batches()) {
            for (Precision precision : TestTensors.CPU_PRECISIONS) {
                try (Cpu cpu = new Cpu(2, precision, level)) {
                    checkBiases(s, precision, cpu);
                }
            }
        }
    }

    static void checkBiases(Conv2dShape s, Precision precision, Cpu cpu) {
        Tensor x = TestTensors.random(1, DType.F32, 1, s.batch(), s.height(), s.width(), s.cin());
        Tensor weight = TestTensors.random(2, DType.BF16, 0.1, s.cout(), s.cin(), s.kernel(), s.kernel());
        Tensor biases = TestTensors.random(3, DType.F32, 1, s.batch(), s.cout() + 2).columns(1, s.cout() + 1);
        Tensor out = Tensor.of(new float[s.batch() * s.outHeight() * s.outWidth() * s.cout()], s.batch(),
                s.outHeight(), s.outWidth(), s.cout());
        CpuConv2d conv2d = new CpuConv2d(cpu);
        conv2d.run(s, x, weight, biases, Epilogue.STORE, out);
        float[] xs = TestTensors.rounded(precision, x.toArray());
        Closeness.check(s.toString(), out.toArray(),
                Conv2dReference.exact(s, xs, weight.toArray(), biases.toArray(), null),
                Conv2dReference.naive(s, xs, weight.toArray(), biases.toArray(), null));
        for (int i = 0; i < s.batch(); i++) {
            Tensor one = Tensor.of(new float[s.outHeight() * s.outWidth() * s.cout()], 1, s.outHeight(), s.outWidth(),
                    s.cout());
            conv2d.run(s.single(), x.slice(i, i + 1), weight, biases.at(i), Epilogue.STORE, one);
            assertThat(one.toArray()).isEqualTo(out.slice(i, i + 1).toArray());
        }
        if (s.stride() == 1) {
            GroupNormCall norm = new GroupNormCall(1, null, null, 1e-6f, Activation.SILU);
            conv2d.runNormed(norm, s, x, weight, biases, Epilogue.STORE, out);
            Tensor one = Tensor.of(new float[(int) out.slice(1, 2).shape().size()], 1, s.outHeight(), s.outWidth(),
                    s.cout());
            conv2d.runNormed(norm, s.single(), x.slice(1, 2), weight, biases.at(1), Epilogue.STORE, one);
            assertThat(one.toArray()).isEqualTo(out.slice(1, 2).toArray());
        }
    }

    /** Through the backend, since the image is doubled first; what is cut off is padding then. */
    @ParameterizedTest
    @EnumSource
    void ofDoubledImagesWithoutTheLastRowOrColumn(CpuLevel level) {
        Levels.assume(level);
        for (int[] out : new int[][] {{9, 14}, {10, 13}, {9, 13}}) {
            Conv2dShape s = Conv2dShape.same(2, out[0], out[1], 6, 5, 3);
            float[] x = TestTensors.gaussian(1, 2 * 5 * 7 * 6, 1);
            float[] doubled = new float[2 * s.height() * s.width() * 6];
            for (int i = 0; i < doubled.length; i++) {
                int column = i / 6 % s.width();
                int row = i / 6 / s.width();
                doubled[i] = x[((row / s.height() * 5 + row % s.height() / 2) * 7 + column / 2) * 6 + i % 6];
            }
            Tensor weight = TestTensors.random(2, DType.BF16, 0.2, 5, 6, 3, 3);
            Tensor bias = TestTensors.random(3, DType.F32, 1, 5);
            for (Precision precision : TestTensors.CPU_PRECISIONS) {
                Tensor result = Tensor.of(new float[2 * s.height() * s.width() * 5], 2, s.height(), s.width(), 5);
                try (Backend cpu = new CpuBackend(2, precision, level); Workspace counted =
                        CountingBackend.of(cpu).measuringWorkspace()) {
                    CountingBackend.of(cpu).upsampledConv2d(Tensor.of(x, 2, 5, 7, 6), weight, bias, result, counted);
                    try (Workspace workspace = cpu.newWorkspace(counted.peak())) {
                        cpu.upsampledConv2d(Tensor.of(x, 2, 5, 7, 6), weight, bias, result, workspace);
                    }
                }
                float[] rounded = TestTensors.rounded(precision, doubled);
                Closeness.check(s + " " + precision + " " + level, result.toArray(),
                        Conv2dReference.exact(s, rounded, weight.toArray(), bias.toArray(), null),
                        Conv2dReference.naive(s, rounded, weight.toArray(), bias.toArray(), null));
            }
        }
    }

    @Test
    void shapesThatDoNotFitAreNamed() {
        Conv2dShape s = Conv2dShape.same(1, 4, 4, 2, 3, 3);
        Tensor x = Tensor.of(new float[32], 1, 4, 4, 2);
        Tensor weight = Tensor.of(new float[54], 3, 2, 3, 3);
        Tensor out = Tensor.of(new float[48], 1, 4, 4, 3);
        refuse(s, Tensor.of(new float[32], 1, 2, 8, 2), weight, null, Epilogue.STORE, out, "[1, 2, 8, 2]",
                "[1, 4, 4, 2]");
        refuse(s, x, Tensor.of(new float[54], 2, 3, 3, 3), null, Epilogue.STORE, out, "[2, 3, 3, 3]", "[3, 2, 3, 3]");
        refuse(s, x, weight, Tensor.of(new float[2], 2), Epilogue.STORE, out, "bias", "[2]", "[3]");
        refuse(s, x, weight, Tensor.of(new float[6], 2, 3), Epilogue.STORE, out, "bias", "[2, 3]", "[1, 3]");
        refuse(s, x, weight, null, Epilogue.STORE, Tensor.of(new float[32], 1, 4, 4, 2), "output", "[1, 4, 4, 3]");
        refuse(s, x, weight, null, Epilogue.multiply(Activation.NONE), out, "MULTIPLY");
        try (Cpu cpu = new Cpu(1, Precision.F32)) {
            assertThatThrownBy(() -> new CpuConv2d(cpu).runDoubled(x, weight, null, out))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContainingAll("upsampledConv2d", "twice the height", "[1, 4, 4, 2]", "[1, 4, 4, 3]");
        }
        assertThatThrownBy(() -> Conv2dShape.same(1, 4, 4, 0, 3, 3)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("conv2d");
    }

    private static void refuse(Conv2dShape shape, Tensor x, Tensor weight, Tensor bias, Epilogue epilogue, Tensor out,
                               String... words) {
        try (Cpu cpu = new Cpu(1, Precision.F32)) {
            assertThatThrownBy(() -> new CpuConv2d(cpu).run(shape, x, weight, bias, epilogue, out))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("conv2d")
                    .hasMessageContainingAll(words);
        }
    }

    private static void check(Conv2dShape s, DType type, Precision precision, CpuLevel level, boolean add) {
        float[] x = TestTensors.gaussian(1, s.batch() * s.height() * s.width() * s.cin(), 1);
        Tensor weight = TestTensors.random(2, type, 1 / Math.sqrt(s.cin() * s.kernel() * s.kernel()), s.cout(),
                s.cin(), s.kernel(), s.kernel());
        Tensor bias = add ? null : TestTensors.random(3, type, 1, s.cout());
        float[] old = TestTensors.gaussian(4, s.batch() * s.outHeight() * s.outWidth() * s.cout(), 1);
        Tensor out = Tensor.of(old.clone(), s.batch(), s.outHeight(), s.outWidth(), s.cout());
        try (Cpu cpu = new Cpu(2, precision, level)) {
            new CpuConv2d(cpu).run(s, Tensor.of(x, s.batch(), s.height(), s.width(), s.cin()), weight, bias,
                    add ? Epilogue.ADD : Epilogue.STORE, out);
        }
        float[] xs = TestTensors.rounded(precision, x);
        float[] ws = TestTensors.rounded(precision, weight.toArray());
        float[] bs = bias == null ? null : bias.toArray();
        Closeness.check(s + " " + precision + " " + level, out.toArray(),
                Conv2dReference.exact(s, xs, ws, bs, add ? old : null),
                Conv2dReference.naive(s, xs, ws, bs, add ? old : null));
    }

    private static float[] run(int threads, Conv2dShape s, Tensor x, Tensor weight) {
        return run(threads, Precision.F32, CpuLevel.best(), s, x, weight);
    }

    private static float[] run(int threads, Precision precision, CpuLevel level, Conv2dShape s, Tensor x,
                               Tensor weight) {
        int size = s.batch() * s.outHeight() * s.outWidth() * s.cout();
        Tensor out = Tensor.of(new float[size], s.batch(), s.outHeight(), s.outWidth(), s.cout());
        try (Cpu cpu = new Cpu(threads, precision, level)) {
            new CpuConv2d(cpu).run(s, x, weight, null, Epilogue.STORE, out);
        }
        return out.toArray();
    }
}
