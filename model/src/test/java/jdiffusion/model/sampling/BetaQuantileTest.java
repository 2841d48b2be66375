package jdiffusion.model.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BetaQuantileTest {
    /** Values of scipy.stats.beta.ppf 1.17. */
    @ParameterizedTest
    @CsvSource({
        "0.1,   0.6, 0.6,  0.03958440558878085",
        "0.9,   0.6, 0.6,  0.9604155944112192",
        "0.001, 0.6, 0.6,  1.855873851745199e-05",
        "0.3,   2,   5,    0.18180347131894917",
        "0.7,   0.5, 3,    0.17653813800341492",
        "0.05,  0.1, 9.5,  6.54997941017512e-15",
        "0.999, 7,   0.25, 0.9999999999998982",
    })
    void equalsScipy(double p, double a, double b, double x) {
        assertThat(BetaQuantile.of(p, a, b)).isCloseTo(x, within(1e-12 * x));
    }

    @Test
    void closedFormsHold() {
        var random = new SplittableRandom(2);
        for (int i = 0; i < 1000; i++) {
            double p = i == 0 ? 0 : i == 1 ? 1 : random.nextDouble();
            double sine = Math.sin(Math.PI * p / 2);
            assertThat(BetaQuantile.of(p, 1, 1)).isCloseTo(p, within(1e-15));
            assertThat(BetaQuantile.of(p, 0.5, 0.5)).isCloseTo(sine * sine, within(4e-15));
            assertThat(BetaQuantile.of(p, 3, 1)).isCloseTo(Math.cbrt(p), within(4e-15));
            assertThat(BetaQuantile.of(p, 1, 4)).isCloseTo(1 - Math.pow(1 - p, 0.25), within(4e-15));
        }
    }

    @Test
    void endsAreExact() {
        assertThat(BetaQuantile.of(0, 0.6, 0.6)).isEqualTo(0);
        assertThat(BetaQuantile.of(1, 0.6, 0.6)).isEqualTo(1);
        assertThat(BetaQuantile.of(0.5, 0.6, 0.6)).isEqualTo(0.5);
        assertThat(BetaQuantile.of(Double.MIN_VALUE, 0.1, 0.1)).isEqualTo(0);
    }

    @ParameterizedTest
    @CsvSource({"-0.1, 1, 1", "1.1, 1, 1", "NaN, 1, 1", "0.5, 0, 1", "0.5, 1, 11", "0.5, NaN, 1"})
    void refusesWhatTheSeriesCannotDo(double p, double a, double b) {
        assertThatThrownBy(() -> BetaQuantile.of(p, a, b)).isInstanceOf(IllegalArgumentException.class);
    }
}
