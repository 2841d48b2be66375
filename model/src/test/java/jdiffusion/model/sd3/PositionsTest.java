package jdiffusion.model.sd3;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import jdiffusion.model.TestData;
import jdiffusion.tensor.Shape;
import org.junit.jupiter.api.Test;

/** The table of positions of made-up models. */
class PositionsTest {
    @Test
    void positionsAreThoseOfTheReference() {
        var file = TestData.reference().resolve("layouts/diffusers/transformer/diffusion_pytorch_model.safetensors");
        float[] wanted = TestData.floats(file, "pos_embed.pos_embed");
        Positions positions = new Positions(12, 4, 128);
        assertThat(positions.shape()).isEqualTo(Shape.of(1, 144, 128));
        float[] made = new float[wanted.length];
        positions.read(0, made.length, made, 0);
        for (int i = 0; i < made.length; i++) {
            assertThat(made[i]).as("element " + i)
                    .isCloseTo(wanted[i], within(Math.max(1e-7f, Math.abs(wanted[i])) / 256));
        }
    }
}
