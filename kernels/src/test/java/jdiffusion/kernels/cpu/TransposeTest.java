package jdiffusion.kernels.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TransposeTest {
    @ParameterizedTest
    @CsvSource({"1, 1", "4, 4", "8, 8", "16, 16", "64, 48", "17, 33", "16, 5", "3, 64"})
    void everyElementFindsItsPlace(int rows, int cols) {
        int stride = cols + 3;
        int toStride = rows + 2;
        float[] from = new float[2 + rows * stride];
        for (int i = 0; i < from.length; i++) {
            from[i] = i;
        }
        float[] to = new float[1 + cols * toStride];
        Transpose.run(rows, cols, from, 2, stride, to, 1, toStride, new float[Simd.LANES * Simd.LANES]);
        for (int c = 0; c < cols; c++) {
            for (int r = 0; r < toStride; r++) {
                float want = r < rows ? 2 + r * stride + c : 0;
                assertThat(to[1 + c * toStride + r]).as("row %s, column %s", r, c).isEqualTo(want);
            }
        }
    }
}
