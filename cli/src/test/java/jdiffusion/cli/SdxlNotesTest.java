package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What only SDXL has, on the command line, with small models of random numbers. */
class SdxlNotesTest {
    private static final String ALL_OPTIONS = "--clip-skip 3 --prompt-2 dog -n blur --negative-prompt-2 dark"
            + " --original-size 1024x512 --crop-top-left 0,256 --target-size 96x64"
            + " --negative-original-size 512x512 --negative-crop-top-left 8,16 --negative-target-size 64x64"
            + " --guidance-rescale 0.7";

    @TempDir
    private static Path models;

    @TempDir
    private Path folder;

    private static Path model(String family) {
        Path model = models.resolve(family);
        if (!Files.exists(model)) {
            Cli run = Cli.run("synthesize", "--family", family, "--tiny", model);
            assertThat(run.code()).as(run.err().toString()).isZero();
        }
        return model;
    }

    private Cli draw(String name, Path model, String options) {
        List<Object> all = new ArrayList<>(List.of("generate", "a", "-m", model, "-W", 64, "-H", 72, "-o",
                folder.resolve(name)));
        all.addAll(List.of(options.split(" +")));
        return Cli.run(all.toArray());
    }

    private static List<String> notes(Cli run) {
        assertThat(run.code()).as(run.err().toString()).isZero();
        return run.err().stream().filter(line -> line.startsWith("note: ")).toList();
    }

    /** A model of 9 channels needs both pictures, and has them when it is checked. */
    @Test
    void inpaintingModel() throws IOException {
        BufferedImage image = new BufferedImage(64, 72, BufferedImage.TYPE_INT_RGB);
        for (int y = 16; y < 40; y++) {
            for (int x = 16; x < 40; x++) {
                image.setRGB(x, y, 0xffffff);
            }
        }
        Path square = folder.resolve("square.png");
        ImageIO.write(image, "png", square.toFile());
        Path model = model("sdxl-inpainting");
        assertThat(draw("none.png", model, "--steps 2 -i " + square).err()).singleElement().asString()
                .contains("give --init-img and --mask");
        assertThat(notes(draw("a.png", model, "--steps 2 --strength 1 -i " + square + " --mask " + square))).isEmpty();
        assertThat(Png.read(folder.resolve("a.png")).picture().height()).isEqualTo(72);
    }

    @Test
    void everyOptionComesBackThroughFrom() throws IOException {
        Path model = model("sdxl");
        assertThat(notes(draw("a.png", model, "--steps 2 " + ALL_OPTIONS))).isEmpty();
        Path again = folder.resolve("b.png");
        Cli run = Cli.run("generate", "--from", folder.resolve("a.png"), "-m", model, "-o", again);
        assertThat(notes(run)).isEmpty();
        assertThat(again).hasSameBinaryContentAs(folder.resolve("a.png"));
    }

    @Test
    void whatAModelWasNotTrainedFor() {
        Path turbo = model("sdxl-turbo");
        assertThat(notes(draw("one.png", turbo, "--steps 1"))).isEmpty();
        assertThat(notes(draw("guided.png", turbo, "--steps 1 --cfg-scale 5"))).singleElement().asString()
                .contains("SDXL Turbo was trained to need no guidance", "5.0");
        Path base = model("sdxl");
        assertThat(notes(draw("said.png", base, "--variant sdxl-turbo"))).singleElement().asString()
                .contains("SDXL Turbo", "leading", "--scheduler trailing");
        assertThat(notes(draw("given.png", base, "--variant sdxl-turbo --scheduler trailing"))).isEmpty();
        assertThat(notes(draw("edm.png", base, "--variant playground-v2.5 --steps 2"))).singleElement().asString()
                .contains("EDM's noise levels", "leading");
    }

    @Test
    void whatNothingReads() {
        assertThat(notes(draw("scored.png", model("sdxl"), "--steps 1 --aesthetic-score 7 --no-t5")))
                .satisfiesExactlyInAnyOrder(
                        note -> assertThat(note).contains("SDXL has no T5"),
                        note -> assertThat(note).contains("an aesthetic score is read by a refiner alone"));
    }

    /** A note of the drawing itself comes once, however many pictures are drawn. */
    @Test
    void severalPictures() {
        assertThat(notes(draw("several.png", model("sdxl"), "--steps 1 --cfg-scale 1 -n blur -b 3")))
                .singleElement().asString().contains("without guidance");
    }

    /** Its folder's scheduler and means say what it is. */
    @Test
    void playground() {
        Path model = model("playground-v2.5");
        assertThat(notes(draw("a.png", model, "--steps 2"))).isEmpty();
        Cli plan = Cli.run("inspect", model);
        assertThat(plan.code()).isZero();
        assertThat(plan.out()).contains("Playground v2.5");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            --original-size 0x0     | --original-size is '0x0'; give a width and a height
            --target-size 64        | --target-size is '64'; give a width and a height
            --crop-top-left 1x2     | --crop-top-left is '1x2'; give a row and a column
            --aesthetic-score 60    | --aesthetic-score is 60.0; use 1 to 10
            --negative-aesthetic-score NaN | --negative-aesthetic-score is NaN; use 1 to 10
            --clip-skip 1           | --clip-skip is 1
            --no-clip-l             | cannot do without it
            --refiner-start 0.5     | --refiner-start is given, but no refiner
            """)
    void wrongOptions(String options, String message) {
        Cli run = draw("x.png", model("sdxl"), options);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).singleElement().asString().contains(message);
    }
}
