package jdiffusion.model.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.sd3.Sd3;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LatentPreviewTest {
    @TempDir
    private Path folder;

    private ConfigFile config(String json) throws IOException {
        return ConfigFile.read(Files.writeString(folder.resolve("generation_config.json"), json));
    }

    @Test
    void projectsWithTheCheckpointsFactors() throws IOException {
        LatentPreview preview = LatentPreview.of(config("{\"latent_rgb_factors\": [[1, 0, 0.5], [0, -1, 0]],"
                + " \"latent_rgb_bias\": [0, 0.5, -2]}"), 2, null);
        // Two channels of 1x3 pixels.
        Picture picture = preview.picture(new float[] {0, 1, -3, 0, 0.5f, -1}, 1, 3);
        assertThat(picture.rgb()).containsExactly(127, (byte) 191, 0, 255, 127, 0, 0, 255, 0);
    }

    @Test
    void withoutFactorsThoseOfSd3() throws IOException {
        LatentPreview preview = LatentPreview.of(config("{}"), 16, new Sd3().preview());
        float[] latents = new float[16];
        latents[2] = 1;
        assertThat(preview.picture(latents, 1, 1).rgb()).containsExactly(
                (byte) (255 * (1 + 0.1848) / 2), (byte) (255 * (1 + 0.0762) / 2), (byte) (255 * (1 + 0.0360) / 2));
        assertThatThrownBy(() -> LatentPreview.of(config("{}"), 4, new Sd3().preview())).isInstanceOf(InputException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"3", "[]", "[[1, 2, 3]]", "[[1, 2, 3], [1, 2]]", "[[1, 2, 3], [1, 2, \"x\"]]", "{}"})
    void wrongFactors(String factors) {
        assertThatThrownBy(() -> LatentPreview.of(config("{\"latent_rgb_factors\": " + factors + "}"), 2, null))
                .isInstanceOf(InputException.class).hasMessageContaining("2 rows of 3 numbers");
    }
}
