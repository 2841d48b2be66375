package jdiffusion.model.text;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class TextEncoderTest {
    @Test
    void theEndTokenIsFoundByItsIdOrAsTheLargest() {
        int[] ids = {298, 5, 299, 7, 299, 299};
        assertThat(ClipTextEncoder.endPosition(ids, 299)).isEqualTo(2);
        assertThat(ClipTextEncoder.endPosition(ids, 7)).isEqualTo(3);
        assertThat(ClipTextEncoder.endPosition(ids, 2)).isEqualTo(2);
        assertThat(ClipTextEncoder.endPosition(ids, 1000)).isZero();
    }

    /** The borders of the logarithmic buckets at 32 buckets and 128 tokens, from the formula in exact arithmetic. */
    @Test
    void relativePositionsFallIntoT5sBuckets() {
        T5Config c = new T5Config(8, 1, 8, 8, 1, 8, 32, 128, 1, 1e-6f);
        int[] firstOfBucket = {8, 12, 16, 23, 32, 46, 64, 91};
        for (int b = 0; b < 8; b++) {
            assertThat(c.bucket(-firstOfBucket[b])).isEqualTo(8 + b);
            assertThat(c.bucket(-(firstOfBucket[b] - 1))).isEqualTo(7 + b);
            assertThat(c.bucket(firstOfBucket[b])).isEqualTo(16 + 8 + b);
        }
        for (int n = 0; n < 8; n++) {
            assertThat(c.bucket(-n)).isEqualTo(n);
        }
        assertThat(c.bucket(-5000)).isEqualTo(15);
        assertThat(c.bucket(5000)).isEqualTo(31);
    }
}
