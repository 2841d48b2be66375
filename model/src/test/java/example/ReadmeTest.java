package example;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.pipeline.Pipeline;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The documentation's example of use in a Java program, from a package that sees only what is public. */
class ReadmeTest {
    @Test
    void theExampleDrawsAStar(@TempDir Path folder) throws IOException {
        Path model = TestData.defaultModel();
        Path star = folder.resolve("star.png");
        try (var backend = new CpuBackend()) {
            var pipeline = Pipeline.open(model, backend);
            var request = pipeline.request("a large yellow star on a purple background").toBuilder()
                    .seed(7).steps(20).size(128, 128).build();
            for (Picture picture : pipeline.generate(request, Progress.NONE)) {
                Png.write(picture, Map.of(), star);
            }
        }
        Picture drawn = Png.read(star).picture();
        assertThat(drawn.width()).isEqualTo(128);
        int[] corner = colour(drawn, 4, 4);
        int[] centre = colour(drawn, 64, 64);
        assertThat(corner[2]).as("purple background").isGreaterThan(corner[1] + 40);
        assertThat(Math.min(centre[0], centre[1])).as("yellow star").isGreaterThan(centre[2] + 40);
        assertThat(Files.readString(model.resolve("../../docs/library.md")))
                .contains("pipeline.request(\"a large yellow star on a purple background\").toBuilder()")
                .contains(".seed(7).steps(20).size(128, 128).build();");
    }

    private static int[] colour(Picture picture, int x, int y) {
        int at = 3 * (y * picture.width() + x);
        return new int[] {picture.rgb()[at] & 0xff, picture.rgb()[at + 1] & 0xff, picture.rgb()[at + 2] & 0xff};
    }
}
