package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** FLUX.1 by the command line: embedded guidance, guidance by two passes, sizes that are rounded. */
class FluxOptionsTest {
    @TempDir
    private static Path models;

    @TempDir
    private Path folder;

    @BeforeAll
    static void synthesize() {
        for (String family : List.of("flux-dev", "flux-schnell")) {
            Cli run = Cli.run("synthesize", "--family", family, "--tiny", models.resolve(family));
            assertThat(run.code()).as("%s", run.err()).isZero();
        }
    }

    private Cli run(String name, String model, Object... more) {
        Cli run = Cli.run(Stream.concat(Stream.of("generate", "a red circle", "-o", folder.resolve(name + ".png"), "-m",
                models.resolve(model), "--steps", 2, "--t5-length", 24, "-W", 32), Stream.of(more)).toArray());
        assertThat(run.code()).as("%s", run.err()).isZero();
        return run;
    }

    private byte[] rgb(String name) {
        return Png.read(folder.resolve(name + ".png")).picture().rgb();
    }

    private static List<String> notes(Cli run) {
        return run.err().stream().filter(line -> line.startsWith("note:")).toList();
    }

    @Test
    void guidanceIsToldAndRepeated() {
        run("usual", "flux-dev", "-H", 32);
        run("told", "flux-dev", "-H", 32, "--guidance", 3.5);
        run("less", "flux-dev", "-H", 32, "--guidance", 1.25);
        assertThat(rgb("told")).isEqualTo(rgb("usual")).isNotEqualTo(rgb("less"));
        Cli again = Cli.run("generate", "--from", folder.resolve("less.png"), "-m", models.resolve("flux-dev"), "-o",
                folder.resolve("again.png"));
        assertThat(again.code()).as("%s", again.err()).isZero();
        assertThat(notes(again)).isEmpty();
        assertThat(folder.resolve("again.png")).hasSameBinaryContentAs(folder.resolve("less.png"));
        assertThat(notes(run("schnell", "flux-schnell", "-H", 32, "--guidance", 2))).singleElement().asString()
                .contains("embeds no guidance");
    }

    /** What a picture of another program was told that FLUX.1 is not told is left out, with a note. */
    @Test
    void settingsForOtherFamilies() throws IOException {
        Path file = folder.resolve("other.png");
        Png.write(new Picture(1, 1, new byte[3]), Map.of("parameters", "a cat\nSteps: 1, Distilled CFG Scale: 1.25, Seed:"
                + " 3, Size: 32x32, Clip skip: 3, Skip layers: [7], SLG scale: 2, Original size: 64x64, Prompt 2: a, RNG:"
                + " std_default"),
                file);
        Cli run = Cli.run("generate", "--from", file, "-m", models.resolve("flux-dev"), "-o", folder.resolve("x.png"));
        assertThat(run.code()).as("%s", run.err()).isZero();
        assertThat(notes(run)).anyMatch(note -> note.endsWith("since they are nothing for FLUX.1: clip skip, sizes"
                + " and crops of SDXL, skip layers"));
        assertThat(notes(run)).anyMatch(note -> note.contains("the noise source 'std_default' of"));
        assertThat(Png.texts(folder.resolve("x.png")).get("parameters")).contains("Guidance: 1.25,", "Prompt 2: a")
                .doesNotContain("skip", "Skip", "Original size");
    }

    @Test
    void aGuidanceIsANumberThatCanBeTold() {
        for (String wrong : List.of("NaN", "-1", "1e9")) {
            Cli run = Cli.run("generate", "a", "-m", models.resolve("flux-dev"), "--guidance", wrong, "-o",
                    folder.resolve("wrong.png"));
            assertThat(run.code()).isEqualTo(2);
            assertThat(run.err()).singleElement().asString().contains("the embedded guidance is", "use 0 to 1000");
        }
        assertThat(folder.resolve("wrong.png")).doesNotExist();
    }

    @Test
    void twoPassesTakeANegativePrompt() {
        run("one", "flux-dev", "-H", 32);
        assertThat(notes(run("ignored", "flux-dev", "-H", 32, "--cfg-scale", 3))).singleElement().asString()
                .contains("without a negative prompt");
        assertThat(notes(run("two", "flux-dev", "-H", 32, "--cfg-scale", 3, "-n", ""))).isEmpty();
        assertThat(rgb("ignored")).isEqualTo(rgb("one")).isNotEqualTo(rgb("two"));
    }

    @Test
    void sizesAreRoundedDown() {
        assertThat(notes(run("rounded", "flux-dev", "-H", 47))).singleElement().asString()
                .contains("32x47", "drawing 32x32");
        run("whole", "flux-dev", "-H", 32);
        assertThat(rgb("rounded")).isEqualTo(rgb("whole"));
        Cli small = Cli.run("generate", "a", "-m", models.resolve("flux-dev"), "-W", 8, "-H", 32, "-o",
                folder.resolve("small.png"));
        assertThat(small.code()).isEqualTo(2);
        assertThat(small.err()).singleElement().asString().contains("16 is the smallest");
        assertThat(folder.resolve("small.png")).doesNotExist();
    }
}
