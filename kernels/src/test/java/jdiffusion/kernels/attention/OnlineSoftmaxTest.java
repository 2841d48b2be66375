package jdiffusion.kernels.attention;

import static jdiffusion.kernels.cpu.MicroKernel.NR;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import jdiffusion.kernels.cpu.Simd;
import org.junit.jupiter.api.Test;

/** The plain loops of the softmax give the bits of the vector loops, blocks of only -infinity included. */
class OnlineSoftmaxTest {
    @Test
    void plainAndVectorLoopsAgree() {
        Random random = new Random(5);
        int keys = 18;
        int queries = 2 * NR;
        float[] vectorState = new float[OnlineSoftmax.size(queries)];
        float[] plainState = new float[OnlineSoftmax.size(queries)];
        OnlineSoftmax.reset(vectorState, queries);
        OnlineSoftmax.reset(plainState, queries);
        for (int block = 0; block < 4; block++) {
            float[] vectors = new float[keys * NR];
            for (int i = 0; i < vectors.length; i++) {
                vectors[i] = block == 0 || random.nextInt(9) == 0 ? Float.NEGATIVE_INFINITY
                        : (float) (random.nextGaussian() * 30);
            }
            float[] plain = vectors.clone();
            for (int c = 0; c < NR; c += Simd.LANES) {
                OnlineSoftmax.raiseVectors(vectors, c, keys, vectorState, NR + c, queries);
            }
            OnlineSoftmax.raisePlain(plain, keys, plainState, NR, queries);
            assertThat(plainState).isEqualTo(vectorState);
            OnlineSoftmax.factors(vectorState, NR, NR, queries);
            OnlineSoftmax.factors(plainState, NR, NR, queries);
            for (int c = 0; c < NR; c += Simd.LANES) {
                OnlineSoftmax.exponentiateVectors(vectors, c, keys, vectorState, NR + c, queries);
            }
            OnlineSoftmax.exponentiatePlain(plain, keys, plainState, NR, queries);
            assertThat(plain).isEqualTo(vectors);
            assertThat(plainState).isEqualTo(vectorState);
        }
    }
}
