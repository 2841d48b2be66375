package jdiffusion.model.sampling;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PhiloxRandomTest {
    /** The known answers of Random123 (kat_vectors) for philox4x32 with 10 rounds. */
    @Test
    void bitsAreThoseOfTheAuthors() {
        assertThat(bits(0, 0, 0, 0, 0, 0)).containsExactly(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
        assertThat(bits(-1, -1, -1, -1, -1, -1)).containsExactly(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
        assertThat(bits(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0))
                .containsExactly(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1);
    }

    private static int[] bits(int c0, int c1, int c2, int c3, int k0, int k1) {
        int[] counter = {c0, c1, c2, c3};
        PhiloxRandom.bits(counter, k0, k1);
        return counter;
    }

    /** A1111's formula in NumPy 2, for seeds and calls of it: the numbers are equal to the last bit. */
    @Test
    void normalsAreThoseOfA1111() {
        assertThat(normals(0, 1, 5)).containsExactly(-0.924662411f, -0.425343961f, -2.6438458f, 0.145183876f,
                -0.120866507f);
        assertThat(normals(12345678901234L, 1, 5)).containsExactly(0.238610059f, -0.181031555f, 0.225049436f,
                -0.0236008f, 0.744123042f);
        assertThat(normals(42, 2, 5)).containsExactly(0.139137492f, -0.108216159f, -0.717422187f, 0.75664866f,
                0.371488243f);
    }

    private static float[] normals(long seed, int calls, int count) {
        RandomNormals random = NoiseSource.PHILOX.random(seed);
        float[] values = new float[count];
        for (int i = 0; i < calls; i++) {
            random.normals(values);
        }
        return values;
    }

    @Test
    void theyAreNormal() {
        float[] values = new float[1 << 16];
        NoiseSource.PHILOX.random(7).normals(values);
        double sum = 0;
        double squares = 0;
        for (float value : values) {
            sum += value;
            squares += (double) value * value;
        }
        // Standard errors are 1/256 of the mean and 1/181 of the variance; five of them.
        assertThat(Math.abs(sum / values.length)).isLessThan(0.02);
        assertThat(Math.abs(squares / values.length - 1)).isLessThan(0.028);
    }
}
