package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A small AuraFlow of random weights, drawn as a user would, and what its options refuse. */
class AuraFlowOptionsTest {
    @TempDir
    private static Path models;
    private static byte[] plain;

    @TempDir
    private Path folder;

    @BeforeAll
    static void synthesize() {
        Cli run = Cli.run("synthesize", "--family", "auraflow", "--tiny", model());
        assertThat(run.code()).as("%s", run.err()).isZero();
    }

    private static Path model() {
        return models.resolve("auraflow");
    }

    private Path out(String name) {
        return folder.resolve(name + ".png");
    }

    private Cli generate(String name, Path model, String options) {
        List<Object> all = new ArrayList<>(List.of("generate", "a red circle", "-m", model, "-W", 80, "-H", 48,
                "--steps", 2, "-o", out(name)));
        for (String option : options.trim().split(" +")) {
            all.add(option.replace("FOLDER", folder.toString()).replace("''", ""));
        }
        return Cli.run(all.toArray());
    }

    private byte[] draw(String name, Path model, String options) {
        Cli run = generate(name, model, options.contains("--t5-length") ? options : options + " --t5-length 24");
        assertThat(run.code()).as("%s", run.err()).isZero();
        return Png.read(out(name)).picture().rgb();
    }

    /** What the model draws without options, for all tests the same. */
    private byte[] plain() {
        if (plain == null) {
            plain = draw("plain", model(), "");
        }
        return plain;
    }

    @ParameterizedTest
    @CsvSource({"--negative-prompt blue", "--cfg-scale 1", "--t5-length 9", "--flow-shift 3",
        "--sampling-method heun"})
    void anOptionChangesThePictureAndIsKeptInIt(String options) {
        assertThat(draw("changed", model(), options)).isNotEqualTo(plain());
        Cli again = Cli.run("generate", "--from", out("changed"), "-m", model(), "--threads", 3, "-o", out("again"));
        assertThat(again.code()).as("%s", again.err()).isZero();
        assertThat(again.err()).noneMatch(line -> line.startsWith("note:"));
        assertThat(out("again")).hasSameBinaryContentAs(out("changed"));
    }

    @Test
    void picturesToStartFromAndMasks() {
        byte[] first = draw("first", model(), "");
        assertThat(draw("second", model(), "-i FOLDER/first.png --strength 0.6")).isNotEqualTo(first);
        assertThat(draw("third", model(), "-i FOLDER/first.png --mask FOLDER/second.png --strength 0.6"))
                .isNotEqualTo(first);
    }

    /** In one file and quantised it is the same model; the tokenizer comes from beside it. */
    @Test
    void otherLayouts() {
        Path file = folder.resolve("all.safetensors");
        assertThat(Cli.run("convert", model(), "-o", file, "--layout", "all-in-one").code()).isZero();
        assertThat(draw("file", file, "--tokenizer " + model())).isEqualTo(plain());
        Path gguf = folder.resolve("denoiser.gguf");
        assertThat(Cli.run("convert", model(), "-o", gguf, "--quantize", "q8_0").code()).isZero();
        assertThat(draw("gguf", model(), "--diffusion-model " + gguf)).isNotEqualTo(plain());
        Cli without = generate("without", file, "--offline");
        assertThat(without.err()).last().asString().startsWith("jdiffusion: ");
        assertThat(without.code()).isEqualTo(2);
        assertThat(Files.exists(out("without"))).isFalse();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            -W 72                  | a width of 72 is not a multiple of 16; 64 or 80 would work
            -H 208                 | a height of 208 is beyond this model's table of positions; at most 192 works
            --no-t5                | nothing but Pile-T5 reads AuraFlow's prompts
            --clip-skip 3          | AuraFlow has no CLIP
            --prompt-2 b           | AuraFlow reads one prompt with one encoder
            --t5-length 513        | the T5 length is 513; use 1 to 512
            --skip-layers 1        | AuraFlow has no layers for skip-layer guidance
            --variant sd3-medium   | the denoiser is AuraFlow v0.2
            """)
    void refusals(String options, String message) {
        Cli run = generate("x", model(), options);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).singleElement().asString().contains(message);
        assertThat(Files.exists(out("x"))).isFalse();
    }

    @Test
    void everyPartIsMeasured() throws IOException {
        Cli run = Cli.run((Object[]) ("bench --family auraflow --tiny --runs 1 gemm attention denoiser vae text image"
                + " -W 32 -H 16 --text 3 --steps 1 --json").split(" "));
        assertThat(run.code()).as("%s", run.err()).isZero();
        List<String> parts = new ArrayList<>();
        for (JsonNode row : new ObjectMapper().readTree(run.out()).get("measurements")) {
            parts.add(row.get("part").textValue());
        }
        assertThat(parts).contains("gemm", "attention", "denoiser", "vae", "text", "image");
    }
}
