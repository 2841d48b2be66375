package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Pictures as people have them: turned by a camera, with masks in their alpha, drawn by other tools. */
class PictureInputsTest {
    @TempDir
    private Path folder;

    private static Path file(String name) {
        try {
            return Path.of(PictureInputsTest.class.getResource(name).toURI());
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException(name, e);
        }
    }

    private static List<String> notes(Cli run) {
        assertThat(run.code()).as(run.err().toString()).isZero();
        return run.err().stream().filter(line -> line.startsWith("note: ")).toList();
    }

    private byte[] draw(String name, List<String> notes, Object... arguments) {
        Path out = folder.resolve(name);
        List<Object> all = new ArrayList<>(List.of("generate", "a red circle", "--no-t5", "-o", out));
        all.addAll(List.of(arguments));
        notes.addAll(notes(Cli.run(all.toArray())));
        return Png.read(out).picture().rgb();
    }

    /** Stored as 64x96, meant as 96x64: the init image, and the mask whose size must agree. */
    @Test
    void orientationOfInitImageAndMask() {
        List<String> notes = new ArrayList<>();
        Path upright = file("/oriented/upright.png");
        Path turned = file("/oriented/tag6.png");
        byte[] expected = draw("a.png", notes, "-i", upright, "--mask", upright, "--steps", 2, "--strength", 1);
        assertThat(draw("b.png", notes, "-i", turned, "--mask", upright, "--steps", 2, "--strength", 1))
                .isEqualTo(expected);
        assertThat(draw("c.png", notes, "-i", upright, "--mask", turned, "--steps", 2, "--strength", 1))
                .isEqualTo(expected);
        assertThat(Png.read(folder.resolve("c.png")).picture().width()).isEqualTo(96);
        assertThat(notes).isEmpty();
    }

    @Test
    void masks() throws IOException {
        Object[] fixed = {"-W", 64, "-H", 64, "--steps", 2, "--strength", 1, "-i", file("/masks/init.png"),
            "--mask", ""};
        List<String> notes = new ArrayList<>();
        byte[] plain = masked("plain.png", fixed, notes);
        assertThat(notes).isEmpty();
        for (String name : List.of("white_in_alpha.png", "black_in_alpha.png")) {
            assertThat(masked(name, fixed, notes)).isEqualTo(plain);
            assertThat(notes).singleElement().asString().contains("alpha is the mask", "mean the opposite");
            notes.clear();
        }
        for (String name : List.of("red.png", "nothing.png")) {
            assertThat(masked(name, fixed, notes)).isNotEqualTo(plain);
            assertThat(notes).singleElement().asString().contains("the mask selects nothing");
            notes.clear();
        }
        BufferedImage image = new BufferedImage(64, 64, BufferedImage.TYPE_INT_RGB);
        image.setRGB(3, 3, 0xffffff);
        ImageIO.write(image, "png", folder.resolve("dot.png").toFile());
        fixed[fixed.length - 1] = folder.resolve("dot.png");
        draw("x.png", notes, fixed);
        assertThat(notes).singleElement().asString().contains("the mask selects nothing", "every 8th pixel");
        notes.clear();
        image.createGraphics().fillRect(0, 0, 64, 64);
        ImageIO.write(image, "png", folder.resolve("all.png").toFile());
        fixed[fixed.length - 1] = folder.resolve("all.png");
        draw("x.png", notes, fixed);
        assertThat(notes).singleElement().asString().contains("the mask selects everything");
    }

    private byte[] masked(String name, Object[] arguments, List<String> notes) {
        arguments[arguments.length - 1] = file("/masks/" + name);
        return draw("x.png", notes, arguments);
    }

    @Test
    void settingsOfSwarmUi() throws IOException {
        Path from = folder.resolve("from.png");
        Png.write(new Picture(1, 1, new byte[3]), Map.of("parameters", """
                {"sui_image_params": {"prompt": "a red circle", "negativeprompt": "blurry", "model": "sd3.5_medium",
                "seed": 5, "steps": 2, "cfgscale": 4.5, "width": 70, "height": 40, "sampler": "no_such_one",
                "scheduler": "karras", "swarm_version": "0.9.3", "a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1,
                "h": 1, "i": 1, "j": 1, "k": 1, "l": 1, "m": 1, "n": 1}}"""), from);
        Path out = folder.resolve("out.png");
        assertThat(notes(Cli.run("generate", "--no-t5", "--from", from, "-o", out))).containsExactly(
                "note: " + from + " was drawn by SwarmUI 0.9.3; expect a similar picture, not the same",
                "note: the sampler 'no_such_one' of " + from + " is not here; the default is used",
                "note: ignored in " + from + ": a, b, c, d, e, f, g, h, i, j, k, l and 2 more",
                "note: " + from + " was drawn with the model 'sd3.5_medium', not 'shapes'",
                "note: " + from + " is 70x40; drawing 64x48, the next size in multiples of 16");
        assertThat(Png.texts(out).get("parameters")).startsWith("a red circle\nNegative prompt: blurry\nSteps: 2,"
                + " Sampler: Euler, Schedule type: Karras, CFG scale: 4.5, Seed: 5, Size: 64x48, Model: shapes,");
    }

    @ParameterizedTest
    @CsvSource({"initimagecreativity,was drawn from an init image; give it with -i",
        "loras,the prompt names a LoRA"})
    void whatElseIsNeeded(String key, String message) throws IOException {
        Path from = folder.resolve("from.png");
        Png.write(new Picture(1, 1, new byte[3]), Map.of("parameters", "{\"sui_image_params\": {\"prompt\":"
                + " \"a\", \"" + key + "\": \"0.5\"}}"), from);
        Cli run = Cli.run("generate", "--no-t5", "--from", from, "-o", folder.resolve("out.png"));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err().getFirst()).contains(message);
    }
}
