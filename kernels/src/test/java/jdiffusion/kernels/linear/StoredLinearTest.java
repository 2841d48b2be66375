package jdiffusion.kernels.linear;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.Stretched;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Linear layers on the CPU with weights in blocks, scaled or adapted: each is to the bit the layer of the dense matrix
 * that {@link Weight#read} gives element by element.
 */
class StoredLinearTest {
    private static void check(String what, Weight w) {
        Tensor x = TestTensors.random(1, DType.F32, 1, 7, w.cols());
        Tensor bias = TestTensors.random(2, DType.BF16, 1, w.rows());
        Weight dense = Weight.of(Tensor.of(StoredWeights.values(w), w.rows(), w.cols()));
        for (Precision precision : TestTensors.CPU_PRECISIONS) {
            float[] expected = run(precision, x, dense, bias);
            assertThat(expected).as(what).doesNotContain(Float.NaN);
            assertThat(run(precision, x, w, bias)).as(what + " " + precision).isEqualTo(expected);
        }
    }

    private static float[] run(Precision precision, Tensor x, Weight w, Tensor bias) {
        Tensor out = Tensor.of(new float[x.rows() * w.rows()], x.rows(), w.rows());
        try (Cpu cpu = new Cpu(2, precision)) {
            new CpuLinear(cpu).run(new LinearCall(x, w, bias, Epilogue.STORE, out));
        }
        return out.toArray();
    }

    @ParameterizedTest
    @EnumSource
    void blocks(BlockFormat format) {
        int size = format.blockSize();
        for (int cols : new int[] {size, 3 * size, 1536 / size * size + size}) {
            check(format + " of " + cols, StoredWeights.blocks(format, cols, 67, cols));
        }
        check(format + ", one row", StoredWeights.blocks(format, 5, 1, 2 * size));
    }

    /** From anywhere to anywhere, also where that is not how a product cuts a row. */
    @ParameterizedTest
    @EnumSource
    void partsOfARowOfBlocks(BlockFormat format) {
        Weight.Blocks w = StoredWeights.blocks(format, 3, 2, 512);
        float[] all = StoredWeights.values(w);
        for (int from : new int[] {0, 16, 32, 240, 256, 304, 7}) {
            for (int count : new int[] {0, 16, 48, 256, 512 - from, 5}) {
                if (from + count <= 512) {
                    float[] part = new float[count + 4];
                    CpuBlocks.run(w, 1, from, count, part, 3);
                    float[] expected = new float[count + 4];
                    System.arraycopy(all, 512 + from, expected, 3, count);
                    assertThat(part).as("%d elements from %d", count, from).isEqualTo(expected);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F8_E4M3", "F8_E5M2", "BF16", "F16"})
    void scaled(DType type) {
        for (int cols : new int[] {1, 31, 64, 1100}) {
            check(type + " of " + cols, StoredWeights.scaled(type, cols, 33, cols));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 4, 16, 37})
    void adapted(int rank) {
        for (int cols : new int[] {5, 64, 1100}) {
            check("rank " + rank + " of " + cols, StoredWeights.adapted(
                    Weight.of(StoredWeights.dense(DType.BF16, 9, 70, cols)), 10, rank));
        }
    }

    /** [6 * 13, 4 * cols], and its rows from the middle of one block to the middle of another. */
    @ParameterizedTest
    @ValueSource(ints = {1, 16, 75, 300})
    void kronecker(int cols) {
        Tensor w1 = StoredWeights.dense(DType.F16, 1, 6, 4);
        Tensor left = StoredWeights.dense(DType.BF16, 2, 13, 5);
        Tensor right = StoredWeights.dense(DType.F32, 3, 5, cols);
        Tensor whole = StoredWeights.dense(DType.BF16, 4, 13, cols);
        Weight base = Weight.of(StoredWeights.dense(DType.BF16, 5, 6 * 13, 4 * cols));
        for (Delta delta : List.of(Delta.Kronecker.of(w1, left, right, 0.3f),
                Delta.Kronecker.of(w1, null, whole, 0.3f))) {
            Weight w = new Weight.Adapted(base, List.of(delta, StoredWeights.adapted(base, 6, 3).deltas().getFirst()));
            check("all rows", w);
            check("some rows", w.slice(20, 45));
        }
    }

    /** Factors of rows, of columns and of both, of what is stored and of what is added. */
    @ParameterizedTest
    @ValueSource(ints = {16, 75, 300})
    void stretched(int cols) {
        Tensor w1 = StoredWeights.dense(DType.F16, 1, 6, 4);
        Delta product = Delta.Kronecker.of(w1, StoredWeights.dense(DType.BF16, 2, 13, 5),
                StoredWeights.dense(DType.F32, 3, 5, cols), 0.3f);
        Weight base = Weight.of(StoredWeights.dense(DType.BF16, 5, 6 * 13, 4 * cols));
        float[] rows = StoredWeights.dense(DType.F32, 6, 1, 6 * 13).toArray();
        float[] columns = StoredWeights.dense(DType.F32, 7, 1, 4 * cols).toArray();
        Tensor ofRows = Tensor.of(rows, rows.length);
        Tensor ofColumns = Tensor.of(columns, columns.length);
        Delta pair = StoredWeights.adapted(base, 8, 3).deltas().getFirst();
        List<Delta> deltas = List.of(product.stretch(rows, columns), product.stretch(null, columns).times(2),
                product.stretch(rows, null), pair.stretch(rows, columns));
        for (Weight inner : List.of(base, new Weight.Adapted(base, List.of(pair, product)))) {
            for (Weight w : List.of(new Stretched(inner, ofRows, ofColumns), new Stretched(inner, null, ofColumns),
                    new Weight.Adapted(new Stretched(inner, ofRows, null), deltas))) {
                check("all rows", w);
                check("some rows", w.slice(20, 45));
            }
        }
    }

    @Test
    void adaptersOnWhateverIsStoredAndWithinEachOther() {
        int cols = 256;
        Map<String, Weight> bases = new LinkedHashMap<>();
        bases.put("4 bits", new FourBitCase(40, cols, 64, true).make(1));
        bases.put("blocks", StoredWeights.blocks(BlockFormat.Q4_K, 2, 30, cols));
        bases.put("scaled", StoredWeights.scaled(DType.F8_E4M3, 3, 5, cols));
        bases.forEach((what, base) -> check(what, StoredWeights.adapted(base, 20, 2, 8, 3)));
        Weight joined = new Weight.Rows(bases.values().stream()
                .map(base -> (Weight) StoredWeights.adapted(base, 30, 4)).toList());
        check("joined", joined);
        check("adapted as a whole", StoredWeights.adapted(joined, 40, 5));
    }

    /** The same delta object in two places, and calls with and without adapters one after the other. */
    @Test
    void nothingIsLeftOverFromTheCallBefore() {
        Weight base = Weight.of(StoredWeights.dense(DType.F32, 1, 20, 96));
        Weight.Adapted twice = StoredWeights.adapted(StoredWeights.adapted(base, 50, 4), 51, 6);
        Weight.Adapted again = new Weight.Adapted(twice, ((Weight.Adapted) twice.base()).deltas());
        Delta small = StoredWeights.adapted(base, 60, 1).deltas().getFirst();
        Tensor x = TestTensors.random(1, DType.F32, 1, 3, 96);
        try (Cpu cpu = new Cpu(1, Precision.F32)) {
            CpuLinear linear = new CpuLinear(cpu);
            for (Weight w : List.of(again, base, new Weight.Adapted(base, List.of(small)), again)) {
                Tensor out = Tensor.of(new float[3 * 20], 3, 20);
                linear.run(new LinearCall(x, w, null, Epilogue.STORE, out));
                Weight dense = Weight.of(Tensor.of(StoredWeights.values(w), 20, 96));
                assertThat(out.toArray()).isEqualTo(run(Precision.F32, x, dense, null));
            }
        }
    }
}
