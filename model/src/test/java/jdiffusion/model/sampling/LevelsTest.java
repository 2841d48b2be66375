package jdiffusion.model.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Collections;
import java.util.List;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;

/** Noise levels by hand. */
class LevelsTest {
    private static final DiscreteScheduler SDXL = DiscreteScheduler.stableDiffusion(Prediction.EPSILON);

    /** The ten steps of "Align Your Steps" (Sabour et al., 2024) for SDXL, the first and last of which are rounded. */
    @Test
    void ofADiffusion() {
        Sigmas sigmas = SDXL.sigmas(List.of(14.615f, 6.315f, 3.771f, 2.181f, 1.342f, 0.862f, 0.555f, 0.38f, 0.234f,
                0.113f, 0.029f));
        assertThat(sigmas.toArray()).containsExactly(14.615f, 6.315f, 3.771f, 2.181f, 1.342f, 0.862f, 0.555f, 0.38f,
                0.234f, 0.113f, 0.029f, 0);
        assertThat(sigmas.timestep(0)).isEqualTo(999);
        assertThat(sigmas.timestep(10)).isZero();
        assertThat(sigmas.startFactor()).isEqualTo(Math.sqrt(1 + 14.615f * (double) 14.615f));
        assertThat(SDXL.sigmas(List.of(7f, 2f)).startFactor()).isEqualTo(7);
    }

    @Test
    void ofAFlow() {
        Sigmas sigmas = FlowScheduler.ofShift(3).sigmas(List.of(1f, 0.5f));
        assertThat(sigmas.toArray()).containsExactly(1, 0.5f, 0);
        assertThat(sigmas.timesteps()).containsExactly(1000, 500);
    }

    @Test
    void ofEdm() {
        Sigmas sigmas = EdmScheduler.playground().sigmas(List.of(80f, 1f, 0.002f));
        assertThat(sigmas.toArray()).containsExactly(80, 1, 0.002f, 0);
        assertThat(sigmas.timestep(1)).isZero();
        assertThat(sigmas.startFactor()).isEqualTo(Math.sqrt(6401));
    }

    @Test
    void thatCannotBe() {
        fails(SDXL, List.of(15f, 1f), "the first noise level is 15.0; this model knows levels up to 14.6");
        fails(FlowScheduler.ofShift(1), List.of(1.0001f), "the first noise level is 1.0001");
        fails(EdmScheduler.playground(), List.of(81f), "the first noise level is 81.0");
        fails(SDXL, List.of(3f, 3f), "noise level 2 is 3.0 and the one before it 3.0");
        fails(SDXL, List.of(3f, Float.NaN), "noise level 2 is NaN");
        fails(SDXL, List.of(Float.POSITIVE_INFINITY, 3f), "noise level 1 is Infinity");
        fails(SDXL, List.of(3f, 0f, 0f), "noise level 2 is 0.0");
        fails(SDXL, List.of(), "0 noise levels are given");
        fails(SDXL, Collections.nCopies(10_001, 1f), "10001 noise levels are given; use 1 to 10000");
    }

    private static void fails(NoiseScheduler scheduler, List<Float> levels, String message) {
        assertThatThrownBy(() -> scheduler.sigmas(levels)).isInstanceOf(InputException.class)
                .hasMessageStartingWith(message);
    }
}
