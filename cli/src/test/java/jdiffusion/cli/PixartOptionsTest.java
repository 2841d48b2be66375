package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A small PixArt model of random weights, drawn as a user would, and what its options refuse. */
class PixartOptionsTest {
    @TempDir
    private static Path models;
    private static byte[] plain;

    @TempDir
    private Path folder;

    @BeforeAll
    static void synthesize() {
        Cli run = Cli.run("synthesize", "--family", "pixart-sigma", "--tiny", models.resolve("pixart"));
        assertThat(run.code()).as("%s", run.err()).isZero();
    }

    private Cli draw(String name, String options) {
        List<Object> all = new ArrayList<>(List.of("generate", "a (red) circle", "-m", models.resolve("pixart"),
                "--steps", 2, "-o", folder.resolve(name)));
        all.addAll(List.of(options.split(" +")));
        return Cli.run(all.toArray());
    }

    private Picture picture(String name, String options) {
        Cli run = draw(name, options);
        assertThat(run.code()).as("%s", run.err()).isZero();
        assertThat(run.err()).noneMatch(line -> line.startsWith("note:"));
        return Png.read(folder.resolve(name)).picture();
    }

    @Test
    void anySizeIsDrawnAtOneOfTheTable() {
        Cli run = draw("a.png", "-W 75 -H 50");
        assertThat(run.err()).anySatisfy(line -> assertThat(line).contains("75x50 (drawn at 304x208)"));
        Picture picture = Png.read(folder.resolve("a.png")).picture();
        assertThat(picture.width()).isEqualTo(75);
        assertThat(picture.height()).isEqualTo(50);
        assertThat(Cli.run("plan", "-m", models.resolve("pixart"), "-W", 75, "-H", 50).out())
                .contains("75x50 (drawn at 304x208)");
        assertThat(Cli.run("inspect", models.resolve("pixart")).out())
                .contains("any, drawn at the nearest of a table");
    }

    @ParameterizedTest
    @ValueSource(strings = {"-W 64 -H 48 --no-resolution-binning", "-W 64 -H 48 --no-clean-caption",
        "-W 64 -H 48 --no-resolution-binning --no-clean-caption -n blue"})
    void anOptionChangesThePictureAndIsKeptInIt(String options) {
        // Without options it is the same for all cases.
        if (plain == null) {
            plain = picture("plain.png", "-W 64 -H 48").rgb();
            assertRepeats("plain.png");
        }
        assertThat(picture("changed.png", options).rgb()).isNotEqualTo(plain);
        assertRepeats("changed.png");
    }

    private void assertRepeats(String name) {
        Cli run = Cli.run("generate", "--from", folder.resolve(name), "-m", models.resolve("pixart"), "-o",
                folder.resolve("again.png"), "--threads", 3);
        assertThat(run.code()).as("%s", run.err()).isZero();
        assertThat(run.err()).noneMatch(line -> line.startsWith("note:"));
        assertThat(folder.resolve("again.png")).hasSameBinaryContentAs(folder.resolve(name));
    }

    /** A picture of any size is redrawn at its own. */
    @Test
    void fromAPictureOfAnySize() {
        picture("init.png", "-W 75 -H 50");
        Picture redrawn = picture("redrawn.png", "--strength 0.5 --preview 1 -i " + folder.resolve("init.png"));
        assertThat(redrawn.width()).isEqualTo(75);
        assertThat(Png.read(folder.resolve("redrawn.preview.png")).picture().width()).isEqualTo(304);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            -W 75 -H 50 --no-resolution-binning | a width of 75 is not a multiple of 16
            --no-t5                             | PixArt reads the prompt with T5 alone
            --t5-length 600                     | the T5 length is 600
            --skip-layers 1                     | PixArt has no layers for skip-layer guidance
            --flow-shift 3                      | this model is no flow
            --prompt-2 dog                      | PixArt reads one prompt with T5
            --clip-l x.safetensors              | PixArt has no CLIP-L
            """)
    void whatIsRefused(String options, String message) {
        Cli run = draw("x.png", options);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).singleElement().asString().contains(message);
        assertThat(folder.resolve("x.png")).doesNotExist();
    }

    @Test
    void aPromptThatIsTooLongToClean() {
        Path out = folder.resolve("long.png");
        Cli run = Cli.run("generate", "a ".repeat(3000), "-m", models.resolve("pixart"), "-o", out);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).singleElement().asString().contains("6000 characters", "--no-clean-caption");
    }

    @Test
    void otherFamiliesHaveNoUseOfTheSwitches() {
        Cli run = Cli.run("generate", "a", "--steps", 1, "-W", 64, "-H", 64, "--no-clean-caption",
                "--resolution-binning", "-o", folder.resolve("other.png"));
        assertThat(run.code()).as("%s", run.err()).isZero();
        assertThat(run.err()).contains(
                "note: --resolution-binning changes nothing: SD3 draws every size as it is asked for",
                "note: --no-clean-caption changes nothing: SD3 reads prompts as they are");
    }
}
