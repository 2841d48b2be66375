package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import jdiffusion.model.image.Png;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The decoder of a TAESD with random weights, for the default model's latents. */
class TaesdOptionsTest {
    private static final int WIDTH = 8;
    private static final int LEVELS = 4;

    @TempDir
    private Path folder;

    /** In the names of a plain sequence; the clamp is its first. */
    private Path taesd(int channels, long seed) {
        Random random = new Random(seed);
        Map<String, Tensor> tensors = new TreeMap<>();
        conv(tensors, random, "1", WIDTH, channels, true);
        int layer = 3;
        for (int level = 0; level < LEVELS; level++) {
            for (int i = 0; i < 5; i += 2) {
                conv(tensors, random, layer + ".conv." + i, WIDTH, WIDTH, true);
            }
            boolean last = level == LEVELS - 1;
            layer += last ? 1 : 2;
            conv(tensors, random, Integer.toString(layer++), last ? 3 : WIDTH, WIDTH, last);
        }
        Path file = folder.resolve("taesd" + channels + "_" + seed + "_decoder.safetensors");
        SafetensorsWriter.write(file, tensors, Map.of());
        return file;
    }

    /** The encoder beside that decoder. */
    private Path encoder(int channels, long seed) {
        Random random = new Random(seed);
        Map<String, Tensor> tensors = new TreeMap<>();
        int layer = 0;
        conv(tensors, random, Integer.toString(layer++), WIDTH, 3, true);
        for (int level = 0; level < LEVELS; level++) {
            if (level > 0) {
                conv(tensors, random, Integer.toString(layer++), WIDTH, WIDTH, false);
            }
            for (int i = 0; i < 5; i += 2) {
                conv(tensors, random, layer + ".conv." + i, WIDTH, WIDTH, true);
            }
            layer++;
        }
        conv(tensors, random, Integer.toString(layer), channels, WIDTH, true);
        Path file = folder.resolve("taesd" + channels + "_" + seed + "_encoder.safetensors");
        SafetensorsWriter.write(file, tensors, Map.of());
        return file;
    }

    private static void conv(Map<String, Tensor> to, Random random, String name, int out, int in, boolean bias) {
        to.put(name + ".weight", random(random, out, in, 3, 3));
        if (bias) {
            to.put(name + ".bias", random(random, out));
        }
    }

    private static Tensor random(Random random, int... dims) {
        float[] values = new float[Math.toIntExact(Shape.of(dims).size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian() / 6;
        }
        return Tensor.of(values, dims);
    }

    private static byte[] pixels(Path file) {
        return Png.read(file).picture().rgb();
    }

    @Test
    void thePictureIsTheLastPreviewAndIsRepeated() {
        Path file = taesd(16, 1);
        Path out = folder.resolve("x.png");
        Cli run = Cli.draw("a", "--taesd", file, "--taesd-only", "--preview", 1, "-o", out);
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(run.err()).anyMatch(line -> line.endsWith(", decoded by TAESD taesd16_1_decoder"));
        assertThat(pixels(folder.resolve("x.preview.png"))).isEqualTo(pixels(out));
        assertThat(Png.texts(out).get("parameters")).contains("TAESD: taesd16_1_decoder, TAESD hash: ");

        Path again = folder.resolve("again.png");
        Cli repeated = Cli.run("generate", "--from", out, "--taesd", file, "-o", again);
        assertThat(repeated.code()).as(repeated.err().toString()).isZero();
        assertThat(again).hasSameBinaryContentAs(out);
        assertThat(repeated.err()).noneMatch(line -> line.startsWith("note:"));
        Cli other = Cli.run("generate", "--from", out, "--taesd", taesd(16, 2), "-o", again);
        assertThat(other.err()).contains("note: this is not the TAESD that " + out + " was drawn from");
        Cli without = Cli.run("generate", "--from", out, "-o", again);
        assertThat(without.code()).isEqualTo(Main.BAD_INPUT);
        assertThat(without.err().getLast()).contains("was decoded by the TAESD 'taesd16_1_decoder'", "--taesd");

        Path plain = folder.resolve("plain.png");
        Path vae = folder.resolve("vae.png");
        assertThat(Cli.run("generate", "--from", out, "--no-taesd-only", "-o", vae).code()).isZero();
        assertThat(Cli.draw("a", "--taesd", file, "--preview", 1, "-o", plain).code()).isZero();
        assertThat(vae).hasSameBinaryContentAs(plain);
        assertThat(Png.texts(plain).get("parameters")).doesNotContain("TAESD");
        assertThat(pixels(folder.resolve("plain.preview.png"))).isEqualTo(pixels(out));
    }

    @Test
    void itEncodesThePictureToStartFrom() throws IOException {
        Path decoder = taesd(16, 1);
        Path init = Cli.picture(folder.resolve("init.png"), 64, 64);
        Path out = folder.resolve("x.png");
        refused("has no encoder", "a", "-i", init, "--taesd", decoder, "--taesd-encoder", "-o", out);
        encoder(16, 1);
        refused("give one with -i", "a", "--taesd", decoder, "--taesd-encoder", "-o", out);
        Cli run = Cli.draw("a", "-i", init, "--taesd", decoder, "--taesd-encoder", "-o", out);
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(run.err()).anyMatch(line -> line.endsWith(", encoded by TAESD taesd16_1_decoder"));
        assertThat(Png.texts(out).get("parameters")).contains("TAESD encoder: taesd16_1_decoder, TAESD encoder hash: ")
                .doesNotContain("TAESD: ");
        Path again = folder.resolve("again.png");
        Cli repeated = Cli.run("generate", "--from", out, "-i", init, "--taesd", decoder, "-o", again);
        assertThat(repeated.code()).as(repeated.err().toString()).isZero();
        assertThat(again).hasSameBinaryContentAs(out);
        assertThat(repeated.err()).noneMatch(line -> line.startsWith("note:"));
        assertThat(Cli.run("generate", "--from", out, "-i", init, "-o", again).err().getLast())
                .contains("was encoded by the TAESD 'taesd16_1_decoder'", "--no-taesd-encoder");
        Path plain = folder.resolve("plain.png");
        assertThat(Cli.run("generate", "--from", out, "-i", init, "--no-taesd-encoder", "-o", plain).code()).isZero();
        assertThat(pixels(plain)).isNotEqualTo(pixels(out));
    }

    @Test
    void thePlanHasAStageOfIt() {
        Path file = taesd(16, 1);
        Cli plan = Cli.run("plan", "-W", 64, "-H", 64, "--no-t5", "--taesd", file, "--taesd-only");
        assertThat(plan.code()).as(plan.err().toString()).isZero();
        assertThat(plan.out()).contains("taesd decode").doesNotContain("vae decode");
        assertThat(Cli.run("plan", "-W", 64, "-H", 64, "--no-t5", "--taesd", file).out()).contains("vae decode")
                .doesNotContain("taesd decode");
    }

    private static void refused(String what, Object... args) {
        Cli run = Cli.draw(args);
        assertThat(run.code()).isEqualTo(Main.BAD_INPUT);
        assertThat(run.err()).hasSize(1);
        assertThat(run.err().getFirst()).startsWith("jdiffusion: ").contains(what);
    }

    @Test
    void badInputIsOneLine() {
        Path out = folder.resolve("x.png");
        refused("give its folder or file with --taesd", "a", "--taesd-only", "-o", out);
        refused("add --preview N", "a", "--taesd", taesd(16, 1), "-o", out);
        refused("there is no such file", "a", "--taesd", folder.resolve("none"), "--taesd-only", "-o", out);
        refused("no TAESD is in it", "a", "--taesd", TestModel.SHAPES, "--taesd-only", "-o", out);
        refused("a full autoencoder", "a", "--taesd", TestModel.SHAPES.resolve("vae"), "--preview", 1, "-o", out);
        refused("latents of 4 channels", "a", "--taesd", taesd(4, 1), "--taesd-only", "-o", out);
        refused("latents of 4 channels", "a", "--taesd", taesd(4, 1), "--preview", 1, "-o", out);
        assertThat(out).doesNotExist();
    }
}
