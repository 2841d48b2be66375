package jdiffusion.model.family;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import jdiffusion.model.vae.VaeConfig;
import org.junit.jupiter.api.Test;

/** Latents of an autoencoder and those of a denoiser, with one shift for all channels and with numbers for each. */
class LatentSpaceTest {
    private static final LatentSpace SHIFTED = LatentSpace.of(
            new VaeConfig(2, List.of(32, 32), 1, 32, 1.5f, 0.25f, List.of(), List.of()));
    private static final LatentSpace PER_CHANNEL = LatentSpace.of(
            new VaeConfig(2, List.of(32, 32), 1, 32, 0.5f, 0, List.of(-1.5f, 2f), List.of(8f, 4f)));
    private static final int PLANE = 3;

    @Test
    void encoded() {
        float[] moments = {1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0};
        assertThat(SHIFTED.means(moments, true)).containsExactly(1.125f, 2.625f, 4.125f, 5.625f, 7.125f, 8.625f);
        assertThat(SHIFTED.means(moments, false)).containsExactly(1.5f, 3, 4.5f, 6, 7.5f, 9);
        assertThat(PER_CHANNEL.means(moments, true)).containsExactly(0.15625f, 0.21875f, 0.28125f, 0.25f, 0.375f,
                0.5f);
        // A log-variance of 0 is a deviation of 1.
        assertThat(PER_CHANNEL.sample(moments, new float[] {1, 1, 1, -1, -1, -1}))
                .containsExactly(0.21875f, 0.28125f, 0.34375f, 0.125f, 0.25f, 0.375f);
    }

    @Test
    void decodedForSeveralPictures() {
        float[] latents = {0.15625f, 0.21875f, 0.28125f, 0.25f, 0.375f, 0.5f, 0, 0, 0, 0, 0, 0};
        assertThat(PER_CHANNEL.unscaled(latents, PLANE, false))
                .containsExactly(1, 2, 3, 4, 5, 6, -1.5f, -1.5f, -1.5f, 2, 2, 2);
        assertThat(PER_CHANNEL.unscaled(latents, PLANE, true)).startsWith(1, 2, 3, 4);
        assertThat(SHIFTED.withoutInpaintedShift().unscaled(new float[] {1.5f, 3}, 1, true)).containsExactly(1, 2);
        assertThat(SHIFTED.withoutInpaintedShift().unscaled(new float[] {1.5f, 3}, 1, false))
                .containsExactly(1.25f, 2.25f);
    }

    /** What was made for z * scale reads that, whatever numbers for each channel the denoiser's latents have. */
    @Test
    void pictured() {
        float[] latents = {0.15625f, 0.21875f, 0.28125f, 0.25f, 0.375f, 0.5f};
        assertThat(SHIFTED.pictured(latents, PLANE)).isSameAs(latents);
        assertThat(PER_CHANNEL.picturedAt(0.1f).pictured(latents, PLANE))
                .containsExactly(new float[] {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f}, within(1e-6f));
        LatentSpace plain = LatentSpace.of(
                new VaeConfig(2, List.of(32, 32), 1, 32, 0.1f, 0, List.of(), List.of())).picturedAt(0.1f);
        assertThat(plain.pictured(latents, PLANE)).isSameAs(latents);
        assertThat(plain.ofPictured(latents, PLANE)).isSameAs(latents);
        LatentSpace other = PER_CHANNEL.picturedAt(0.1f);
        assertThat(other.ofPictured(other.pictured(latents, PLANE), PLANE)).containsExactly(latents, within(1e-6f));
    }
}
