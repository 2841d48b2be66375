package jdiffusion.kernels.conv2d;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import jdiffusion.kernels.Closeness;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.InterpretedCpu;
import jdiffusion.kernels.machine.TileCount;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Convolutions on AMX's tiles, whose machine code is interpreted, so on every machine. */
class TiledConv2dTest {
    static Conv2dShape[] ragged() {
        return new Conv2dShape[] {Conv2dShape.same(1, 1, 1, 1, 1, 1), Conv2dShape.same(2, 5, 7, 3, 65, 3),
            Conv2dShape.same(1, 9, 6, 64, 3, 3), Conv2dShape.same(1, 4, 13, 17, 63, 1),
            new Conv2dShape(2, 9, 7, 5, 6, 3, 2, 1, 1), Conv2dShape.same(1, 8, 8, 32, 32, 3),
            Conv2dShape.same(1, 7, 10, 96, 70, 3), new Conv2dShape(2, 9, 7, 32, 33, 3, 1, 2, 4)};
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

    @Test
    void everyImageMayHaveABiasOfItsOwn() {
        try (Cpu cpu = InterpretedCpu.withTiles(2)) {
            Conv2dTest.batches().forEach(s -> Conv2dTest.checkBiases(s, Precision.BF16, cpu));
        }
    }

    @Test
    void ofDoubledImages() {
        for (int[] size : new int[][] {{9, 6, 64, 3}, {3, 20, 32, 70}}) {
            Conv2dShape s = Conv2dShape.same(2, 2 * size[0], 2 * size[1], size[2], size[3], 3);
            float[] x = TestTensors.gaussian(1, 2 * size[0] * size[1] * size[2], 1);
            Tensor weight = TestTensors.random(2, DType.BF16, 1 / Math.sqrt(9 * s.cin()), s.cout(), s.cin(), 3, 3);
            Tensor bias = TestTensors.random(3, DType.F32, 1, s.cout());
            Tensor out = Tensor.of(new float[2 * s.height() * s.width() * s.cout()], 2, s.height(), s.width(),
                    s.cout());
            try (Cpu cpu = InterpretedCpu.withTiles(2)) {
                new CpuConv2d(cpu).runDoubled(Tensor.of(x, 2, size[0], size[1], size[2]), weight, bias, out);
            }
            float[] rounded = TestTensors.rounded(Precision.BF16, x);
            Closeness.check(s.toString(), out.toArray(),
                    Conv2dReference.doubledExact(s, rounded, weight.toArray(), bias.toArray(), Precision.BF16),
                    Conv2dReference.doubledNaive(s, rounded, weight.toArray(), bias.toArray(), Precision.BF16));
        }
    }

    /** Kernels that cannot change are packed once and kept: calls after the first give the same, others their own. */
    @Test
    void keptKernelsAreTheirOwn() {
        Conv2dShape s = Conv2dShape.same(1, 5, 6, 33, 40, 3);
        Tensor x = TestTensors.random(1, DType.F32, 1, 1, 5, 6, 33);
        Tensor[] weights = {readOnly(2), readOnly(3)};
        Tensor out = Tensor.of(new float[5 * 6 * 40], 1, 5, 6, 40);
        try (Cpu cpu = InterpretedCpu.withTiles(2)) {
            CpuConv2d conv = new CpuConv2d(cpu);
            for (int round = 0; round < 3; round++) {
                for (Tensor weight : weights) {
                    conv.run(s, x, weight, null, Epilogue.STORE, out);
                    assertThat(out.toArray()).isEqualTo(run(1, s, x, weight));
                }
            }
        }
    }

    private static Tensor readOnly(int seed) {
        Tensor weight = TestTensors.random(seed, DType.BF16, 0.1, 40, 33, 3, 3);
        return Tensor.of(weight.data().asReadOnly(), weight.type(), weight.shape());
    }

    /** Weights that change are packed anew. */
    @Test
    void kernelsThatChangeAreNotKept() {
        Conv2dShape s = Conv2dShape.same(1, 3, 4, 32, 32, 1);
        Tensor x = TestTensors.random(1, DType.F32, 1, 1, 3, 4, 32);
        float[] values = new float[32 * 32];
        Tensor weight = Tensor.of(values, 32, 32, 1, 1);
        Tensor out = Tensor.of(new float[3 * 4 * 32], 1, 3, 4, 32);
        try (Cpu cpu = InterpretedCpu.withTiles(1)) {
            CpuConv2d conv = new CpuConv2d(cpu);
            for (int round = 1; round <= 3; round++) {
                Arrays.fill(values, round);
                conv.run(s, x, weight, null, Epilogue.STORE, out);
                assertThat(out.toArray()).isEqualTo(run(1, s, x, weight)).doesNotContain(0f);
            }
        }
    }

    /** For 32 places, 32 output channels and 32 channels of each tap four products. */
    @Test
    void thereAreNoMoreProductsThanNeeded() {
        TileCount count = new TileCount();
        Conv2dShape s = Conv2dShape.same(1, 6, 31, 64, 96, 3);
        try (Cpu cpu = InterpretedCpu.withTiles(2, count)) {
            new CpuConv2d(cpu).run(s, TestTensors.random(1, DType.F32, 1, 1, 6, 31, 64),
                    TestTensors.random(2, DType.BF16, 1, 96, 64, 3, 3), null, Epilogue.STORE,
                    Tensor.of(new float[6 * 31 * 96], 1, 6, 31, 96));
        }
        // The places are those of rows with their padding, one image row being 33 of them.
        int places = Math.ceilDiv(5 * 33 + 31, 32);
        assertThat(count.products()).isEqualTo(places * 3L * 9 * 2 * 4);
    }

    /** An image by itself and beside another. */
    @Test
    void resultsDoNotDependOnThreadsOrBatch() {
        Conv2dShape s = Conv2dShape.same(2, 6, 9, 64, 70, 3);
        Tensor x = TestTensors.random(1, DType.F32, 1, 2, 6, 9, 64);
        Tensor weight = TestTensors.random(2, DType.BF16, 0.1, 70, 64, 3, 3);
        float[] both = run(1, s, x, weight);
        assertThat(run(3, s, x, weight)).isEqualTo(both);
        assertThat(run(2, Conv2dShape.same(1, 6, 9, 64, 70, 3), x.slice(1, 2), weight))
                .isEqualTo(Arrays.copyOfRange(both, 6 * 9 * 70, both.length));
    }

    private static float[] run(int threads, Conv2dShape s, Tensor x, Tensor weight) {
        Tensor out = Tensor.of(new float[s.batch() * s.outHeight() * s.outWidth() * s.cout()], s.batch(),
                s.outHeight(), s.outWidth(), s.cout());
        try (Cpu cpu = InterpretedCpu.withTiles(threads)) {
            new CpuConv2d(cpu).run(s, x, weight, null, Epilogue.STORE, out);
        }
        return out.toArray();
    }
}
