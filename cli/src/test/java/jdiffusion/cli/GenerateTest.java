package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Small pictures with the default model, drawn as a user would. */
class GenerateTest {
    @TempDir
    private Path folder;

    @Test
    void drawsAndRepeats() throws IOException {
        Path first = folder.resolve("first.png");
        Cli run = Cli.run("generate", "a red circle,\nNegative prompt: \"no\" ünï 日本", "-n", " blurry", "-W", 64,
                "-H", 48, "--steps", 2, "-s", 7, "--cfg-scale", 3.3, "--guidance-rescale", 0.7,
                "--sampling-method", "dpmpp_2m", "--scheduler", "sgm_uniform", "--flow-shift", 2.2, "--t5-length", 40,
                "--skip-layers", "1,2", "--skip-layer-start", 0.1, "--skip-layer-end", 0.9, "--precision", "bf16",
                "-o", first);
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(run.out()).isEmpty();
        Picture picture = Png.read(first).picture();
        assertThat(picture.width()).isEqualTo(64);
        assertThat(picture.height()).isEqualTo(48);

        Path second = folder.resolve("second.png");
        Cli repeated = Cli.run("generate", "--from", first, "-o", second, "--threads", 3);
        assertThat(repeated.code()).as(repeated.err().toString()).isZero();
        assertThat(second).hasSameBinaryContentAs(first);
        assertThat(repeated.err()).noneMatch(line -> line.startsWith("note:"));

        Path other = folder.resolve("other.png");
        assertThat(Cli.run("generate", "--from", first, "-s", 8, "-o", other).code()).isZero();
        assertThat(Png.texts(other).get("parameters"))
                .isEqualTo(Png.texts(first).get("parameters").replace("Seed: 7", "Seed: 8"));
        assertThat(Png.read(other).picture().rgb()).isNotEqualTo(picture.rgb());
    }

    @Test
    void aRunLeavesAnotherOnTheWay() throws IOException {
        Path steps = folder.resolve("steps.safetensors");
        Path whole = folder.resolve("whole.png");
        assertThat(small("a red circle", "--keep-steps", steps, "-o", whole).err())
                .contains("wrote " + steps + ", the steps for --branch");
        Path branch = folder.resolve("branch.png");
        assertThat(small("a red circle", "--branch", steps, "--branch-at", 3, "-o", branch).code()).isZero();
        assertThat(Png.read(branch).picture().rgb()).isEqualTo(Png.read(whole).picture().rgb());
        assertThat(Png.texts(branch).get("parameters")).contains("Branch from: steps.safetensors",
                "Branch after step: 3");
        Path again = folder.resolve("again.png");
        Cli unnamed = Cli.run("generate", "--from", branch, "-o", again);
        assertThat(unnamed.err()).singleElement().asString().endsWith("branch.png: its first steps were taken from"
                + " 'steps.safetensors'; give that file with --branch");
        Cli repeated = Cli.run("generate", "--from", branch, "--branch", steps, "-o", again);
        assertThat(repeated.err()).anyMatch(line -> line.endsWith(", the first 3 steps from " + steps))
                .noneMatch(line -> line.startsWith("note:"));
        assertThat(again).hasSameBinaryContentAs(branch);
        Path other = folder.resolve("other.png");
        assertThat(small("a blue square", "--branch", steps, "--branch-at", 1, "-o", other).code()).isZero();
        assertThat(Png.read(other).picture().rgb()).isNotEqualTo(Png.read(whole).picture().rgb());
        Path no = folder.resolve("no.png");
        for (Object[] wrong : new Object[][] {{"--branch", steps, "-o", no}, {"--branch-at", 1, "-o", no},
            {"--branch", steps, "--branch-at", 5, "-o", no}, {"--branch", whole, "--branch-at", 1, "-o", no},
            {"--branch", folder.resolve("none.safetensors"), "--branch-at", 1, "-o", no},
            {"--keep-steps", "steps.txt", "-o", no}, {"--keep-steps", steps, "-b", 2, "-o", no}}) {
            Cli run = small("a", wrong);
            assertThat(run.code()).as(run.err().toString()).isNotZero();
            assertThat(run.err().getLast()).startsWith("jdiffusion: ").doesNotContain("Exception");
        }
        assertThat(no).doesNotExist();
    }

    private static Cli small(String prompt, Object... more) {
        List<Object> args = new ArrayList<>(List.of("generate", prompt, "-W", 64, "-H", 64, "--steps", 4, "-s", 7,
                "--t5-length", 16));
        args.addAll(List.of(more));
        return Cli.run(args.toArray());
    }

    @Test
    void etaAndLevelsByHand() throws IOException {
        Path first = folder.resolve("first.png");
        assertThat(Cli.run("generate", "a", "-W", 64, "-H", 64, "--no-t5", "--sampling-method", "euler_ancestral",
                "--eta", 0.3, "--sigmas", "[1, 0.75, 0.3, 0.0]", "-o", first).code()).isZero();
        assertThat(Png.texts(first).get("parameters")).contains("Steps: 3, Sampler: Euler a, Eta: 0.3, Sigmas: \"1,"
                + " 0.75, 0.3\", CFG scale");
        Path second = folder.resolve("second.png");
        Cli repeated = Cli.run("generate", "--from", first, "-o", second);
        assertThat(repeated.code()).as(repeated.err().toString()).isZero();
        assertThat(second).hasSameBinaryContentAs(first);
        assertThat(repeated.err()).noneMatch(line -> line.startsWith("note:"));

        Path without = folder.resolve("without.png");
        assertThat(Cli.run("generate", "--from", first, "--steps", 2, "--sampling-method", "euler", "-o", without)
                .code()).isZero();
        assertThat(Png.texts(without).get("parameters")).contains("Steps: 2, Sampler: Euler, Schedule type:"
                + " Normal, CFG");
        Path ddim = folder.resolve("ddim.png");
        assertThat(Cli.run("generate", "--from", first, "--sigmas", "1 0.5", "--sampling-method", "ddim", "--eta", 1,
                "-o", ddim).code()).isZero();
        assertThat(Png.texts(ddim).get("parameters")).contains("Steps: 2, Sampler: DDIM, Eta DDIM: 1, Sigmas: \"1,"
                + " 0.5\", CFG");
        Path again = folder.resolve("again.png");
        assertThat(Cli.run("generate", "--from", ddim, "-o", again).code()).isZero();
        assertThat(again).hasSameBinaryContentAs(ddim);
    }

    /** Levels that a schedule gives, by hand. */
    @Test
    void levelsByHandAreThoseOfASchedule() throws IOException {
        Path schedule = folder.resolve("schedule.png");
        Path byHand = folder.resolve("hand.png");
        assertThat(Cli.draw("a", "--steps", 4, "--flow-shift", 1, "--scheduler", "normal", "-o", schedule).code())
                .isZero();
        assertThat(Cli.run("generate", "a", "-W", 64, "-H", 64, "--no-t5", "--sigmas", "1,0.667,0.334,0.001", "-o",
                byHand).code()).isZero();
        assertThat(Png.read(byHand).picture().rgb()).isEqualTo(Png.read(schedule).picture().rgb());
    }

    /** The denoiser's file takes the rest from the folders beside it; what was left out is kept in the picture. */
    @Test
    void aSingleFileDrawsWhatItsFolderDraws() throws IOException {
        Path file = TestModel.SHAPES.resolve("transformer/diffusion_pytorch_model.safetensors");
        Path fromFolder = folder.resolve("folder.png");
        Path fromFile = folder.resolve("file.png");
        assertThat(Cli.draw("a", "--cfg-scale", 3, "--no-clip-l", "-o", fromFolder).code()).isZero();
        Cli run = Cli.draw("a", "--cfg-scale", 3, "--no-clip-l", "-m", file, "-o", fromFile);
        assertThat(run.err()).anyMatch(line -> line.contains(", T5 off, ") && line.contains(", CLIP-L off"));
        assertThat(Png.read(fromFile).picture().rgb()).isEqualTo(Png.read(fromFolder).picture().rgb());
        assertThat(Png.texts(fromFile).get("parameters")).contains("CLIP-L: off");

        Path again = folder.resolve("again.png");
        assertThat(Cli.run("generate", "--from", fromFolder, "-o", again).code()).isZero();
        assertThat(again).hasSameBinaryContentAs(fromFolder);
    }

    @Test
    void aBatchIsThePicturesOfConsecutiveSeeds() throws IOException {
        assertThat(Cli.draw("a", "-b", 2, "-s", 5, "-o", folder.resolve("b.png")).code()).isZero();
        assertThat(Cli.draw("a", "-s", 6, "-o", folder.resolve("six.png")).code()).isZero();
        assertThat(Cli.names(folder)).containsExactly("b-0001.png", "b-0002.png", "six.png");
        assertThat(folder.resolve("b-0002.png")).hasSameBinaryContentAs(folder.resolve("six.png"));
        assertThat(Png.texts(folder.resolve("b-0001.png")).get("parameters")).contains("Seed: 5");
    }

    @Test
    void fromAnInitImage() throws IOException {
        Path init = Cli.picture(folder.resolve("init.png"), 70, 50);
        Path mask = Cli.picture(folder.resolve("mask.png"), 70, 50);
        Path out = folder.resolve("out.png");
        Cli run = Cli.run("generate", "a", "-i", init, "--mask", mask, "--steps", 2, "--no-t5", "-o", out);
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(run.err()).contains("note: the init image is 70x50; drawing 64x48, the next size in multiples of"
                + " 16");
        assertThat(Png.read(out).picture().width()).isEqualTo(64);

        Path again = folder.resolve("again.png");
        assertThat(Cli.run("generate", "--from", out, "-o", again).err().getFirst())
                .contains("was drawn from an init image; give it with -i, and its mask with --mask");
        assertThat(Cli.run("generate", "--from", out, "-i", init, "-o", again).err().getFirst())
                .contains("was drawn with a mask");
        assertThat(Cli.run("generate", "--from", out, "-i", init, "--mask", mask, "-o", again).code()).isZero();
        assertThat(again).hasSameBinaryContentAs(out);
        assertThat(Cli.run("generate", "--from", out, "-i", mask, "--mask", mask, "-W", 32, "-H", 32, "-o", again)
                .err()).doesNotContain("note: this is not the init image that " + out + " was drawn from");
        Path changed = Cli.picture(folder.resolve("changed.png"), 71, 50);
        assertThat(Cli.run("generate", "--from", out, "-i", changed, "-o", again, "--mask",
                Cli.picture(folder.resolve("changed-mask.png"), 71, 50)).err())
                .contains("note: this is not the init image that " + out + " was drawn from",
                        "note: this is not the mask that " + out + " was drawn from");
    }

    @Test
    void settingsOfOtherTools() throws IOException {
        Path file = folder.resolve("web.png");
        Png.write(new Picture(1, 1, new byte[3]), Map.of("parameters", "a cat\nNegative prompt: dog\nSteps: 2, Sampler:"
                + " DPM++ 2M Karras, CFG scale: 2, Seed: 3, Size: 32x32, Model: sd3.5_medium, Clip skip: 2, Hires"
                + " upscaler: Latent, Version:"
                + " v1.10.1"), file);
        Cli run = Cli.run("generate", "--from", file, "--model", TestModel.SHAPES, "-o", folder.resolve("x.png"));
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(run.err()).contains(
                "note: " + file + " was drawn by v1.10.1; expect a similar picture, not the same",
                "note: ignored in " + file + ": Hires upscaler",
                "note: " + file + " was drawn with the model 'sd3.5_medium', not 'shapes'");
        assertThat(Png.texts(folder.resolve("x.png")).get("parameters")).startsWith("a cat\nNegative prompt: dog\n"
                + "Steps: 2, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 2, Seed: 3, Size: 32x32, Model:"
                + " shapes");
    }

    @Test
    void settingsOfStableDiffusionCpp() throws IOException {
        Path file = folder.resolve("sdcpp.png");
        Png.write(new Picture(1, 1, new byte[3]), Map.of("parameters", "a cat\nSteps: 2, CFG scale: 2.500000, SLG"
                + " scale: 2.000000, Skip layers: [1, 2, ], Skip layer start: 0.010000, Skip layer end: 0.900000,"
                + " Guidance: 3.5, Seed: 3, Size: 32x32, RNG: cuda, Sampler: euler discrete, Version:"
                + " stable-diffusion.cpp"), file);
        Cli run = Cli.run("generate", "--from", file, "--steps", 3, "-o", folder.resolve("x.png"));
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(run.err()).anyMatch(line -> line.startsWith("note: ") && line.contains("embeds no guidance"))
                .noneMatch(line -> line.startsWith("settings: ") && line.contains(", guidance"));
        assertThat(Png.texts(folder.resolve("x.png")).get("parameters")).startsWith("a cat\nSteps: 3, Sampler: Euler,"
                + " Schedule type: Discrete, CFG scale: 2.5, Seed: 3, Size: 32x32, Model: shapes, T5 length: 256, SLG"
                + " scale: 2, Skip layers: \"1, 2\", Skip layer start: 0.01, Skip layer end: 0.9,");
    }

    @Test
    void previewsAndJson() throws IOException {
        Path out = folder.resolve("x.png");
        Cli run = Cli.draw("a", "--preview", 1, "--json", "-o", out);
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(Cli.names(folder)).containsExactly("x.png", "x.preview.png");
        assertThat(Png.read(folder.resolve("x.preview.png")).picture().width()).isEqualTo(64);

        assertThat(run.out().lines()).hasSize(1);
        JsonNode json = new ObjectMapper().readTree(run.out());
        assertThat(json.fieldNames()).toIterable().containsExactly("version", "model", "device", "request", "timings",
                "notes", "files", "seconds", "peak_bytes");
        assertThat(json.at("/request/width").intValue()).isEqualTo(64);
        assertThat(json.at("/request/flow_shift").isNull()).isTrue();
        assertThat(json.at("/request/prompt").textValue()).isEqualTo("a");
        assertThat(json.at("/files/0/path").textValue()).isEqualTo(out.toString());
        assertThat(json.at("/files/0/seed").longValue()).isEqualTo(42);
        assertThat(json.at("/timings").findValuesAsText("stage")).containsExactly("encode text", "denoise", "decode");
        assertThat(json.at("/peak_bytes").longValue()).isPositive();
    }

    @Test
    void saysWhatWasDecidedAndCut() {
        Cli run = Cli.draw("word ".repeat(200), "-o", folder.resolve("x.png"));
        assertThat(run.err()).anyMatch(line -> line.startsWith("model: ") && line.contains("SD3.5 Medium"));
        assertThat(run.err()).anyMatch(line -> line.startsWith("device: cpu"));
        assertThat(run.err()).anyMatch(line -> line.startsWith("settings: 64x64, 2 steps of euler, schedule normal,")
                && line.contains("cfg scale 4.0, seed 42, T5 off, precision f32"));
        assertThat(run.err()).anyMatch(line -> line.startsWith("note: the prompt is too long for text_encoder:"));
        assertThat(run.err()).allSatisfy(line -> assertThat(line).hasSizeLessThan(300));
        assertThat(run.err()).anyMatch(line -> line.startsWith("denoise "));
        assertThat(run.err()).contains("wrote " + folder.resolve("x.png") + " (seed 42)");
    }

    /** Seeds have 64 bits without a sign, of which torch takes the lower half. */
    @Test
    void theLargestSeeds() throws IOException {
        Path pictures = Files.createDirectory(folder.resolve("pictures"));
        Cli run = Cli.draw("a", "-b", 2, "-s", "18446744073709551614", "--json", "-o", pictures);
        assertThat(run.err()).anyMatch(line ->
                line.contains(", seed 18446744073709551614 to 18446744073709551615,"));
        JsonNode json = new ObjectMapper().readTree(run.out());
        assertThat(json.at("/request/seed").asText()).isEqualTo("18446744073709551614");
        assertThat(json.at("/files/1/seed").asText()).isEqualTo("18446744073709551615");
        Path last = pictures.resolve("00002-18446744073709551615.png");
        assertThat(Png.texts(last).get("parameters")).contains("Seed: 18446744073709551615,");

        Path again = folder.resolve("again.png");
        assertThat(Cli.run("generate", "--from", last, "-o", again).code()).isZero();
        assertThat(again).hasSameBinaryContentAs(last);
        Path lower = folder.resolve("lower.png");
        assertThat(Cli.run("generate", "--from", last, "-s", 4294967295L, "-o", lower).code()).isZero();
        assertThat(Png.read(lower).picture().rgb()).isEqualTo(Png.read(last).picture().rgb());
    }

    @Test
    void randomSeedsAreWrittenDown() throws IOException {
        assertThat(Cli.draw("a", "-s", "random", "-o", folder).code()).isZero();
        String name = Cli.names(folder).getFirst();
        String seed = name.substring(name.indexOf('-') + 1, name.indexOf('.'));
        assertThat(Png.texts(folder.resolve(name)).get("parameters")).contains("Seed: " + seed + ",");
        assertThat(Files.exists(folder.resolve("00001-" + seed + ".png"))).isTrue();
    }
}
