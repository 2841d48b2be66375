package jdiffusion.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

/** What adapters add, against their definitions in double. */
class DeltaTest {
    private static final Offset<Float> CLOSE = Offset.offset(1e-5f);

    private final Random random = new Random(3);

    private Tensor random(int rows, int cols) {
        float[] values = new float[rows * cols];
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextFloat() - 0.5f;
        }
        return Tensor.of(values, rows, cols);
    }

    /** Every element of kron(w1, w2), scaled. */
    private static double[][] kronecker(Tensor w1, double[][] w2, double scale) {
        double[][] out = new double[w1.rows() * w2.length][w1.cols() * w2[0].length];
        for (int i = 0; i < out.length; i++) {
            for (int j = 0; j < out[0].length; j++) {
                out[i][j] = scale * w1.get(i / w2.length, j / w2[0].length) * w2[i % w2.length][j % w2[0].length];
            }
        }
        return out;
    }

    private static double[][] product(Tensor left, Tensor right) {
        double[][] out = new double[left.rows()][right.cols()];
        for (int i = 0; i < left.rows(); i++) {
            for (int j = 0; j < right.cols(); j++) {
                for (int r = 0; r < right.rows(); r++) {
                    out[i][j] += (double) left.get(i, r) * right.get(r, j);
                }
            }
        }
        return out;
    }

    private static void assertAdds(Delta delta, double[][] wanted, int firstRow) {
        assertThat(delta.cols()).isEqualTo(wanted[0].length);
        for (int row = 0; row < delta.rows(); row++) {
            int from = row % delta.cols();
            float[] got = new float[delta.cols() - from + 1];
            Arrays.fill(got, 1);
            delta.add(row, from, delta.cols() - from, got, 1);
            assertThat(got[0]).isEqualTo(1);
            for (int i = 1; i < got.length; i++) {
                assertThat(got[i]).isCloseTo((float) (1 + wanted[firstRow + row][from + i - 1]), CLOSE);
            }
        }
    }

    @Test
    void kroneckerOfTwoMatrices() {
        Tensor w1 = random(3, 2);
        Tensor w2 = random(5, 7);
        double[][] plain = product(Tensor.of(new float[] {1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0,
            0, 0, 0, 0, 1}, 5, 5), w2);
        Delta delta = Delta.Kronecker.of(w1, null, w2, 0.7f);
        assertThat(delta.rows()).isEqualTo(15);
        assertThat(delta.byteSize()).isEqualTo((6 + 35) * 4);
        assertAdds(delta, kronecker(w1, plain, 0.7f), 0);
    }

    @Test
    void rowsAndColumnsWithFactors() {
        float[] rows = random(1, 15).toArray();
        float[] columns = random(1, 14).toArray();
        double[][] ones = new double[15][14];
        for (int i = 0; i < 15; i++) {
            for (int j = 0; j < 14; j++) {
                ones[i][j] = (double) rows[i] * columns[j];
            }
        }
        Tensor w1 = random(3, 2);
        Tensor left = random(5, 2);
        Tensor right = random(2, 7);
        double[][] kronecker = kronecker(w1, product(left, right), 0.7);
        Tensor up = random(15, 4);
        Tensor down = random(4, 14);
        double[][] pair = product(up, down);
        for (int i = 0; i < 15; i++) {
            for (int j = 0; j < 14; j++) {
                kronecker[i][j] *= 3 * ones[i][j];
                pair[i][j] *= -3 * ones[i][j];
            }
        }
        for (Delta delta : List.of(Delta.Kronecker.of(w1, left, right, 0.7f), new Delta.LowRank(down, up, -1))) {
            Delta once = delta.stretch(rows, columns).times(3);
            Delta twice = delta.times(3).stretch(rows, null).slice(0, 15).stretch(null, columns);
            double[][] wanted = delta instanceof Delta.LowRank ? pair : kronecker;
            assertAdds(once, wanted, 0);
            assertAdds(twice, wanted, 0);
            assertAdds(once.slice(4, 13).slice(2, 3), wanted, 6);
        }
        assertThat(Delta.Kronecker.of(w1, left, right, 1).stretch(rows, null).byteSize())
                .isEqualTo((6 + 10 + 14 + 15) * 4);
    }

    @Test
    void rowsOfAKroneckerWithALowRankFactorAreCutAnywhere() {
        Tensor w1 = random(3, 2);
        Tensor left = random(5, 2);
        Tensor right = random(2, 7);
        double[][] wanted = kronecker(w1, product(left, right), -1.5);
        Delta delta = Delta.Kronecker.of(w1, left, right, -1.5f);
        assertAdds(delta, wanted, 0);
        assertAdds(delta.slice(4, 13), wanted, 4);
        assertAdds(delta.slice(4, 13).slice(2, 3), wanted, 6);
        assertThat(delta.slice(4, 13).rows()).isEqualTo(9);
        assertThat(delta.place(t -> t)).isEqualTo(delta);
        assertThatThrownBy(() -> delta.slice(4, 16)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> Delta.Kronecker.of(w1, right, left, 1)).isInstanceOf(IllegalArgumentException.class);
    }
}
