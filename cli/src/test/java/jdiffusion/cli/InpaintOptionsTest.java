package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import jdiffusion.model.image.Box;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Soft masks, parts, borders and second passes on the command line, and back out of the pictures. */
class InpaintOptionsTest {
    @TempDir
    private Path folder;
    private Path photo;
    private Path mask;

    @BeforeEach
    void pictures() throws IOException {
        photo = folder.resolve("photo.png");
        mask = folder.resolve("mask.png");
        byte[] rgb = new byte[3 * 60 * 50];
        byte[] white = new byte[rgb.length];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) (2 * (i / 3 % 60) + i / 3 / 60 + 70 * (i % 3));
            white[i] = (byte) (i / 3 % 60 >= 20 && i / 3 % 60 < 34 && i / 3 / 60 >= 18 && i / 3 / 60 < 30 ? 255 : 0);
        }
        Png.write(new Picture(60, 50, rgb), Map.of(), photo);
        Png.write(new Picture(60, 50, white), Map.of(), mask);
    }

    private Path draw(String name, Object... arguments) {
        Path out = folder.resolve(name);
        List<Object> all = new ArrayList<>(List.of("generate", "--no-t5", "--steps", 2, "-o", out, "a red circle"));
        all.addAll(Arrays.asList(arguments));
        Cli run = Cli.run(all.toArray());
        assertThat(run.code()).as(run.err().toString()).isZero();
        return out;
    }

    private static Picture picture(Path file) {
        return Png.read(file).picture();
    }

    private static String text(Path file) {
        return Png.texts(file).get("parameters");
    }

    private void assertRepeats(Path file, Object... pictures) {
        Path again = folder.resolve("again.png");
        List<Object> all = new ArrayList<>(List.of("generate", "--from", file, "-o", again));
        all.addAll(Arrays.asList(pictures));
        Cli run = Cli.run(all.toArray());
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(run.err()).noneMatch(line -> line.contains("ignored"));
        assertThat(picture(again).rgb()).isEqualTo(picture(file).rgb());
        assertThat(text(again)).isEqualTo(text(file));
    }

    @Test
    void onlyMaskedAndBack() {
        Path file = draw("part.png", "-i", photo, "--mask", mask, "--only-masked", "--mask-blur", 2, "--mask-padding", 4,
                "--mask-fill", "fill", "-W", 48, "-H", 48, "--strength", 0.9);
        assertThat(text(file)).contains("Size: 48x48, ", "Denoising strength: 0.9, ", "Mask blur: 2, Masked content:"
                + " fill, Inpaint area: Only masked, Masked area padding: 4, Mask hash: ");
        Picture drawn = picture(file);
        assertThat(drawn.width()).isEqualTo(60);
        assertThat(drawn.height()).isEqualTo(50);
        Box corner = new Box(0, 0, 14, 50);
        assertThat(drawn.cut(corner).rgb()).isEqualTo(picture(photo).cut(corner).rgb());
        assertThat(drawn.rgb()).isNotEqualTo(picture(photo).rgb());
        assertRepeats(file, "-i", photo, "--mask", mask);
    }

    @Test
    void softInvertedMaskAndBack() {
        Path file = draw("soft.png", "-i", photo, "--mask", mask, "--mask-invert", "--mask-blur", 3, "--mask-fill",
                "noise");
        assertThat(text(file)).contains("Size: 48x48, ", "Mask blur: 3, Mask mode: Inpaint not masked, Masked content:"
                + " latent noise, Mask hash: ");
        assertRepeats(file, "-i", photo, "--mask", mask);
        Path pasted = draw("pasted.png", "-i", photo, "--mask", mask, "--mask-paste");
        assertThat(text(pasted)).contains("Mask paste: on");
        assertThat(picture(pasted).rgb()[0]).isEqualTo(picture(photo).resized(48, 48).rgb()[0]);
        assertRepeats(pasted, "-i", photo, "--mask", mask);
    }

    /** Nothing that is new acts unless it is asked for. */
    @Test
    void hardMasksAreAsTheyWere() {
        Path plain = draw("plain.png", "-i", photo, "--mask", mask);
        Path zero = draw("zero.png", "-i", photo, "--mask", mask, "--mask-blur", 0, "--mask-fill", "original");
        assertThat(picture(zero).rgb()).isEqualTo(picture(plain).rgb());
        assertThat(text(zero)).isEqualTo(text(plain)).doesNotContain("Mask blur", "Inpaint", "Masked");
    }

    @Test
    void outpaintingAndBack() throws IOException {
        Path small = folder.resolve("small.png");
        Picture inside = picture(photo).cut(new Box(0, 0, 48, 48));
        Png.write(inside, Map.of(), small);
        Path file = draw("wide.png", "-i", small, "--outpaint", "16,0,16,16", "--mask-blur", 1);
        assertThat(text(file)).contains("Size: 80x64, ", "Denoising strength: 0.8, ", "Mask blur: 1, Outpaint:"
                + " \"16,0,16,16\"");
        Box kept = new Box(16 + 5, 0, 48 - 10, 48 - 5);
        assertThat(picture(file).cut(kept).rgb()).isEqualTo(inside.cut(new Box(5, 0, 38, 43)).rgb());
        assertRepeats(file, "-i", small);
    }

    @ParameterizedTest
    @CsvSource({"1.5, latent, 48, 48, Hires upscale: 1.5", "64x48, lanczos, 64, 48, Hires resize: 64x48",
        "1.7, lanczos, 48, 48, Hires upscale: 1.5"})
    void secondPassAndBack(String size, String upscaler, int width, int height, String text) {
        Path file = draw("large.png", "-W", 32, "-H", 32, "--hires", size, "--hires-strength", 0.6, "--hires-steps", 4,
                "--hires-upscaler", upscaler, "--preview", 1);
        assertThat(picture(file).width()).isEqualTo(width);
        assertThat(picture(file).height()).isEqualTo(height);
        assertThat(picture(folder.resolve("large.preview.png")).width()).isEqualTo(width);
        assertThat(text(file)).contains("Size: 32x32, ", "Denoising strength: 0.6, " + text + ", Hires steps: 4, Hires"
                + " upscaler: " + (upscaler.equals("latent") ? "Latent" : "Lanczos"));
        assertRepeats(file);
    }

    @Test
    void planKnowsTheLargerPass() {
        Cli first = Cli.run("plan", "-W", 64, "-H", 64, "--json");
        Cli both = Cli.run("plan", "-W", 64, "-H", 64, "--hires", 2, "--json");
        assertThat(peak(both.out())).isGreaterThan(peak(first.out()));
        assertThat(Cli.run("plan", "-W", 64, "-H", 64, "--hires", 2).out()).contains("64x64, then 128x128");
    }

    private static long peak(String json) {
        return Long.parseLong(json.replaceAll("(?s).*\"peak\" ?: ?(\\d+)[^}]*}\\s*$", "$1"));
    }

    /** A1111's own text, with an upscaler that is not here. */
    @Test
    void anotherProgramsSecondPass() throws IOException {
        Path file = folder.resolve("web.png");
        Png.write(new Picture(1, 1, new byte[3]), Map.of("parameters", "a cat\nSteps: 2, Sampler: Euler, CFG scale: 2,"
                + " Seed: 3, Size: 32x32, Denoising strength: 0.7, Hires upscale: 2, Hires upscaler: 4x-UltraSharp,"
                + " Version: v1.10.1"), file);
        Cli run = Cli.run("generate", "--from", file, "--model", TestModel.SHAPES, "-o", folder.resolve("x.png"));
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(run.err()).contains("note: the upscaler '4x-UltraSharp' of " + file + " is not here; Lanczos is used");
        assertThat(text(folder.resolve("x.png"))).contains("Denoising strength: 0.7, Hires upscale: 2, Hires upscaler:"
                + " Lanczos");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "--mask-blur -1 -i P --mask M | the mask is to be blurred by -1 pixels; use 0 (not at all) to 64",
        "--only-masked --mask-padding -1 -i P --mask M | the padding around what is masked is -1 pixels",
        "--mask-padding 4 -i P --mask M | --mask-padding says how much is cut out",
        "--only-masked -i P | are of a mask; give one with --mask",
        "--mask-fill sky -i P --mask M | the masked part cannot start from 'sky'",
        "--outpaint 16,0,0,0 | --outpaint draws around an init image; give one with -i",
        "--outpaint 16,0,0 -i P | --outpaint is '16,0,0'; give the pixels to add",
        "--outpaint 16,0,0,0 -i P | multiples of 16; the nearest that works is 20,0,0,14, for 80x64",
        "--outpaint 4,0,0,14 --only-masked -i P --mask M | leave out one of the two",
        "--outpaint 4,0,0,14 -W 128 -i P | makes the picture 64x64, but 128x64 is asked for; leave out the size",
        "--hires 0.5 | the second pass is to be 0.5 times as large; use 1 to 8",
        "--hires large | --hires is 'large'; give a factor, such as 1.5, or a size, such as 1536x1024",
        "--hires-steps 4 | are of a second pass; give its size with --hires",
        "--hires 2 --hires-strength 0 | the strength of the second pass is 0.0; use more than 0",
        "--hires 130x130 | a width of 130 is not a multiple of 16; 128 or 144 would work",
        "--hires 2 -i P | for pictures that are drawn from a prompt alone",
        "--hires 64x64 | the second pass is to be 64x64, smaller than the first with 128x128"})
    void badOptions(String options, String message) {
        List<Object> all = new ArrayList<>(List.of("generate", "a", "--no-t5", "-o", folder.resolve("x.png")));
        for (String option : options.strip().split(" ")) {
            all.add(option.equals("P") ? photo : option.equals("M") ? mask : option);
        }
        Cli run = Cli.run(all.toArray());
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).singleElement().asString().contains(message);
        assertThat(folder.resolve("x.png")).doesNotExist();
    }

    @Test
    void aPartOfNothing() throws IOException {
        Path black = folder.resolve("black.png");
        Png.write(new Picture(60, 50, new byte[3 * 60 * 50]), Map.of(), black);
        Cli run = Cli.run("generate", "a", "--no-t5", "-i", photo, "--mask", black, "--only-masked", "-o",
                folder.resolve("x.png"));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err().getLast()).contains("the mask selects nothing, so there is no part to draw alone");
    }
}
