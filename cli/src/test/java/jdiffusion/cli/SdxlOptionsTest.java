package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Small SDXL models of random weights, drawn as a user would, and what their options refuse. */
class SdxlOptionsTest {
    @TempDir
    private static Path models;
    private static byte[] plain;

    @TempDir
    private Path folder;

    @BeforeAll
    static void synthesize() {
        for (String family : List.of("sdxl", "sdxl-turbo", "sdxl-inpainting", "sdxl-refiner")) {
            Cli run = Cli.run("synthesize", "--family", family, "--tiny", models.resolve(family));
            assertThat(run.code()).as("%s", run.err()).isZero();
        }
    }

    private Path out(String name) {
        return folder.resolve(name + ".png");
    }

    /** Options in a text, with MODELS for the folder of models and FOLDER for that of the test. */
    private List<String> options(String text) {
        return text.isEmpty() ? List.of() : Arrays.stream(text.split(" +")).map(word ->
                word.replace("MODELS", models.toString()).replace("FOLDER", folder.toString()).replace("''", ""))
                .toList();
    }

    private static Cli generate(Path out, List<String> more, Object... args) {
        return Cli.run(Stream.of(Stream.of("generate", "-o", out), Stream.of(args), more.stream()).flatMap(s -> s)
                .toArray());
    }

    private byte[] draw(String name, String model, String options) {
        Cli run = generate(out(name), options(options), "a red circle", "-m", models.resolve(model), "-W", 56, "-H",
                40, "--steps", 4, "-s", 3);
        assertThat(run.code()).as("%s", run.err()).isZero();
        return Png.read(out(name)).picture().rgb();
    }

    /** What SDXL draws without options, for all tests the same. */
    private byte[] plain() {
        if (plain == null) {
            plain = draw("plain", "sdxl", "");
        }
        return plain;
    }

    /** What cannot be in a picture's text: files. */
    private void assertRepeats(String name, String model, String files) {
        Cli run = generate(out("again"), options(files), "--from", out(name), "-m", models.resolve(model),
                "--threads", 3);
        assertThat(run.code()).as("%s", run.err()).isZero();
        assertThat(run.err()).noneMatch(line -> line.startsWith("note:"));
        assertThat(out("again")).hasSameBinaryContentAs(out(name));
    }

    @ParameterizedTest
    @ValueSource(strings = {"--prompt-2 star", "--negative-prompt-2 star --negative-prompt blue",
        "--negative-prompt ''", "--clip-skip 3",
        "--original-size 512x768", "--crop-top-left 16,32", "--target-size 1024x1024",
        "--negative-original-size 256x128 --negative-crop-top-left 8,9 --negative-target-size 512x512",
        "--guidance-rescale 0.7", "--sampling-method dpmpp_2m --scheduler karras"})
    void anOptionChangesThePictureAndIsKeptInIt(String options) {
        assertThat(draw("changed", "sdxl", options)).isNotEqualTo(plain());
        assertRepeats("changed", "sdxl", "");
    }

    @Test
    void noNegativePromptIsNotAnEmptyOne() {
        byte[] none = draw("none", "sdxl", "");
        assertThat(draw("empty", "sdxl", "--negative-prompt ''")).isNotEqualTo(none);
        assertRepeats("none", "sdxl", "");
        assertRepeats("empty", "sdxl", "");
    }

    @Test
    void aRefinerGoesOn() {
        byte[] late = draw("late", "sdxl", "--refiner MODELS/sdxl-refiner");
        byte[] early = draw("early", "sdxl", "--refiner MODELS/sdxl-refiner --refiner-start 0.5");
        byte[] scored = draw("scored", "sdxl", "--refiner MODELS/sdxl-refiner --refiner-start 0.5 --aesthetic-score"
                + " 7.5 --negative-aesthetic-score 1");
        assertThat(late).isNotEqualTo(plain()).isNotEqualTo(early);
        assertThat(scored).isNotEqualTo(early);
        for (String name : List.of("late", "early", "scored")) {
            assertRepeats(name, "sdxl", "--refiner MODELS/sdxl-refiner");
        }
        assertThat(generate(out("x"), List.of(), "--from", out("early"), "-m", models.resolve("sdxl")).err())
                .singleElement().asString().contains("was drawn with the refiner 'sdxl-refiner'; give it with"
                + " --refiner");
    }

    /** Where nothing is offloaded, the weights of both are on the device at once. */
    @Test
    void memoryIsThatOfBothModels() throws IOException {
        long one = plan().get("peak").longValue();
        JsonNode both = plan("--refiner", models.resolve("sdxl-refiner"));
        assertThat(both.get("stages").findValuesAsText("name")).containsExactly("text_encoder", "text_encoder_2",
                "text_encoder_2", "unet", "unet", "vae decode");
        assertThat(both.get("peak").longValue()).isGreaterThan(one);
        plan("--vram", one + "B");
        Cli less = planned("--vram", one + "B", "--refiner", models.resolve("sdxl-refiner"));
        assertThat(less.err()).singleElement().asString().contains("of memory do not suffice");
        assertThat(less.code()).isEqualTo(2);
    }

    private static JsonNode plan(Object... more) throws IOException {
        Cli run = planned(more);
        assertThat(run.code()).as("%s", run.err()).isZero();
        return new ObjectMapper().readTree(run.out());
    }

    private static Cli planned(Object... more) {
        return Cli.run(Stream.concat(Stream.of("plan", "--json", "-m", models.resolve("sdxl"), "-W", 64, "-H", 64,
                "--steps", 4, "--device", "cuda", "--offload", "none"), Stream.of(more)).toArray());
    }

    @Test
    void picturesToStartFrom() throws IOException {
        Cli.picture(folder.resolve("init.png"), 60, 44);
        Cli.picture(folder.resolve("mask.png"), 60, 44);
        String files = "-i FOLDER/init.png";
        byte[] image = draw("image", "sdxl", files + " --strength 0.5");
        byte[] masked = draw("masked", "sdxl", files + " --mask FOLDER/mask.png");
        assertThat(image).isNotEqualTo(plain());
        assertThat(masked).isNotEqualTo(image);
        draw("nine", "sdxl-inpainting", files + " --mask FOLDER/mask.png --strength 1");
        draw("refined", "sdxl", files + " --refiner MODELS/sdxl-refiner --strength 0.9 --refiner-start 0.5");
        assertRepeats("image", "sdxl", files);
        assertRepeats("masked", "sdxl", files + " --mask FOLDER/mask.png");
        assertRepeats("nine", "sdxl-inpainting", files + " --mask FOLDER/mask.png");
        assertRepeats("refined", "sdxl", files + " --refiner MODELS/sdxl-refiner");
    }

    @Test
    void turboNeedsOneStepAndNoGuidance() {
        Path model = models.resolve("sdxl-turbo");
        Cli run = generate(out("x"), List.of(), "a", "-m", model, "-W", 64, "-H", 64);
        assertThat(run.code()).as("%s", run.err()).isZero();
        assertThat(run.err()).anyMatch(line -> line.startsWith("settings: 64x64, 1 step of ")
                && line.contains("cfg scale 0.0")).noneMatch(line -> line.startsWith("note:"));
        Cli guided = generate(out("y"), List.of(), "a", "-m", model, "-W", 64, "-H", 64, "--cfg-scale", 5);
        assertThat(guided.code()).isZero();
        assertThat(guided.err()).contains("note: SDXL Turbo was trained to need no guidance; with a cfg scale of 5.0"
                + " each step takes twice as long, and pictures are usually worse");
    }

    @Test
    void aRefinerAlone() throws IOException {
        Path model = models.resolve("sdxl-refiner");
        Cli run = generate(out("x"), List.of(), "a", "-m", model, "-W", 64, "-H", 64, "--steps", 2);
        assertThat(run.code()).as("%s", run.err()).isZero();
        assertThat(run.err()).anyMatch(line -> line.startsWith("note: this is SDXL's refiner"));
        Path init = Cli.picture(folder.resolve("init.png"), 64, 64);
        Cli from = generate(out("y"), List.of(), "a", "-m", model, "-i", init, "--steps", 4);
        assertThat(from.code()).as("%s", from.err()).isZero();
        assertThat(from.err()).noneMatch(line -> line.startsWith("note:"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "sdxl | --refiner-start 0.5 | --refiner-start is given, but no refiner; give its folder or file with --refiner",
        "sdxl | --refiner MODELS/sdxl-refiner --refiner-start 1.5 | the refiner is to start at 1.5 of the way",
        "sdxl | --refiner MODELS/sdxl-refiner --refiner-start NaN | the refiner is to start at NaN of the way",
        "sdxl | --refiner MODELS/sdxl-refiner --steps 1 | of 1 steps, 0 are left for the base model and 1 for the",
        "sdxl | --refiner MODELS/nowhere | nowhere: there is no such model",
        "sdxl | --refiner SHAPES | this model's latents are not those of",
        "SHAPES | --no-t5 --refiner MODELS/sdxl-refiner | this model's latents are not those of",
        "sdxl | --clip-skip 1 | --clip-skip is 1; these models were trained on the last layer but one",
        "sdxl | --clip-skip 99 | clip skip 97: this CLIP has 2 layers",
        "SHAPES | --no-t5 --clip-skip 99 | clip skip 97: this CLIP has",
        "sdxl | -W 60 -H 64 | a width of 60 is not a multiple of 8; 56 or 64 would work",
        "sdxl | --original-size 1024 | --original-size is '1024'; give a width and a height, such as 1024x1024",
        "sdxl | --original-size 99999999x1 | --original-size is '99999999x1'",
        "sdxl | --target-size 0x | --target-size is '0x'",
        "sdxl | --crop-top-left 3 | --crop-top-left is '3'; give a row and a column",
        "sdxl | --aesthetic-score NaN | --aesthetic-score is NaN; use 1 to 10",
        "sdxl | --t5-length 30 | the T5 length is 30, but SDXL has no T5; leave --t5-length out",
        "sdxl | --skip-layers 1 | layer 1 cannot be skipped; SDXL has no layers for skip-layer guidance",
        "sdxl | --no-clip-g | sdxl: CLIP-G is left out or not there, and SDXL's denoiser cannot do without it",
        "sdxl | --no-clip-l | CLIP-L is left out or not there, and SDXL's denoiser cannot do without it",
        "sdxl | --variant sdxl-refiner | --variant says sdxl-refiner, but the denoiser is SDXL base",
        "sdxl-inpainting | --steps 2 | this is an inpainting model: it reads a picture and a mask",
        "SHAPES | --no-t5 --prompt-2 a | second prompts, sizes, crops and aesthetic scores are SDXL's",
        "SHAPES | --no-t5 --target-size 64x64 | second prompts, sizes, crops and aesthetic scores are SDXL's"})
    void badInputIsOneLine(String model, String options, String message) throws IOException {
        Path path = model.equals("SHAPES") ? TestModel.SHAPES : models.resolve(model);
        List<String> more = new ArrayList<>(options(options));
        more.replaceAll(option -> option.replace("SHAPES", TestModel.SHAPES.toString()));
        if (!more.contains("-W")) {
            more.addAll(List.of("-W", "64", "-H", "64"));
        }
        check(generate(out("x"), more, "a", "-m", path), message);
    }

    private void check(Cli run, String message, String... left) throws IOException {
        assertThat(run.err()).singleElement().asString().startsWith("jdiffusion: ").contains(message);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(Cli.names(folder)).containsExactly(left);
    }

    @Test
    void anInpaintingModelNeedsTheMaskToo() throws IOException {
        Path init = Cli.picture(folder.resolve("init.png"), 64, 64);
        check(generate(out("x"), List.of(), "a", "-m", models.resolve("sdxl-inpainting"), "-i", init),
                "give --init-img and --mask", "init.png");
    }

    @Test
    void anEncoderThatIsNotThere() throws IOException {
        Path model = Files.createDirectory(folder.resolve("m"));
        Cli run = Cli.run("synthesize", "--family", "sdxl", "--tiny", "--components", "denoiser,vae,clip-l",
                model.resolve("half"));
        assertThat(run.code()).as("%s", run.err()).isZero();
        check(generate(out("x"), List.of(), "a", "-m", model.resolve("half"), "-W", 64, "-H", 64),
                "the model has no text_encoder_2, its CLIP-G; download it", "m");
    }
}
