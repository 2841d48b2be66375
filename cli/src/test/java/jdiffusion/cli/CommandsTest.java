package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Help, version, completion and inspect. */
class CommandsTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"--help", "generate --help", "inspect --help", "completion --help", "devices --help",
        "plan --help", "stream --help", "convert --help", "quantize --help", "synthesize --help", "bench --help",
        "help generate"})
    void helpHasExamplesAndFitsATerminal(String args) {
        Cli run = Cli.run((Object[]) args.split(" "));
        assertThat(run.code()).isZero();
        assertThat(run.err()).isEmpty();
        assertThat(run.out()).contains("Usage: jdiffusion").contains("Examples:");
        assertThat(run.out().lines()).allMatch(line -> line.length() <= 80);
    }

    @Test
    void helpNamesEveryOption() {
        String help = Cli.run("generate", "--help").out();
        for (String option : new String[] {"--model", "-n,", "--negative-prompt", "-W,", "--width", "-H,", "--height",
            "--steps", "--cfg-scale", "--guidance-rescale", "-s,", "--seed", "-b,", "--batch-count",
            "--sampling-method", "--eta", "--sigmas", "--scheduler",
            "--flow-shift", "--t5-length", "--no-t5", "--skip-layers", "--slg-scale", "--skip-layer-start",
            "--skip-layer-end", "-i,", "--init-img", "--strength", "--mask", "-o,", "--output", "--device",
            "--precision", "--threads", "--preview", "--json", "--from", "--kernels", "--gemm", "--conv",
            "--emulator-check", "--emulator-profile", "--emulator-seed", "--emulator-memory",
            "--emulator-capability", "--quantize", "--offload", "--vae-tiling", "--vae-tile-size", "--vram",
            "--profile", "--trace"}) {
            assertThat(help).contains(option);
        }
        assertThat(help).contains("euler_ancestral", "dpmpp_2m", "er_sde", "sgm_uniform", "kl_optimal");
    }

    @Test
    void version() {
        assertThat(Cli.run("--version").out()).matches("jdiffusion \\d+\\.\\d+\\.\\d+\\S* \\(Java .+\\)\\R");
    }

    @Test
    void completion() {
        Cli run = Cli.run("completion");
        assertThat(run.code()).isZero();
        assertThat(run.out()).startsWith("#!/usr/bin/env bash").contains("--negative-prompt").contains("dpmpp_2m");
    }

    @Test
    void unexpectedFailuresAreOneLineUnlessAsked() {
        assertThat(Cli.run("generate", "a", "--steps", 0).err()).hasSize(1);
        assertThat(Cli.run("generate", "a", "--steps", 0, "--stacktrace").err()).hasSizeGreaterThan(5);
    }

    @ParameterizedTest
    @ValueSource(strings = {"--help", "generate --help", "help generate", "--version", "completion", "devices --json",
        "inspect --json", "plan --json"})
    void anOutputThatCannotBeWritten(String args) throws IOException {
        List<Object> given = new ArrayList<>(List.of(args.split(" ")));
        if (args.startsWith("inspect")) {
            given.add(TestModel.SHAPES);
        }
        Object[] all = given.toArray();
        Cli full = Cli.into(failing("No space left on device"), all);
        assertThat(full.err()).singleElement().asString().startsWith(
                "jdiffusion: standard output: cannot be written (No space left on device); make room");
        assertThat(full.code()).isEqualTo(2);
        Cli closed = Cli.into(failing("Broken pipe"), all);
        assertThat(closed.err()).isEmpty();
        assertThat(closed.code()).isZero();
    }

    private static OutputStream failing(String reason) {
        return new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException(reason);
            }
        };
    }

    @Test
    void inspectModel() throws IOException {
        Cli run = Cli.run("inspect", TestModel.SHAPES);
        assertThat(run.code()).isZero();
        assertThat(run.err()).isEmpty();
        assertThat(run.out()).contains("SD3.5 Medium (MMDiT-X), 13.61 M parameters")
                .contains("sizes: 16x16 to 512x512 pixels, in multiples of 16")
                .contains("defaults: 128x128, 20 steps of euler, cfg scale 4.0, T5 256 tokens");

        JsonNode json = new ObjectMapper().readTree(Cli.run("inspect", TestModel.SHAPES, "--json").out());
        assertThat(json.at("/ok").booleanValue()).isTrue();
        assertThat(json.at("/parts").findValuesAsText("name")).containsExactly("text_encoder", "tokenizer",
                "text_encoder_2", "tokenizer_2", "text_encoder_3", "tokenizer_3", "transformer", "vae", "scheduler");
        assertThat(json.at("/parts/6/types/bf16").longValue()).isEqualTo(10_275_136);
    }

    @Test
    void inspectComponentAndFile() {
        Path vae = TestModel.SHAPES.resolve("vae");
        Cli run = Cli.run("inspect", vae, "--tensors");
        assertThat(run.code()).isZero();
        assertThat(run.out()).containsPattern("decoder\\.conv_in\\.weight +f32 +\\[64, 16, 3, 3\\]");
        assertThat(Cli.run("inspect", vae.resolve("diffusion_pytorch_model.safetensors")).out()).contains("1.00 M");
    }

    /** A file out of the folder, with what is beside it. */
    @Test
    void inspectSingleFile() throws IOException {
        Path file = TestModel.SHAPES.resolve("transformer/diffusion_pytorch_model.safetensors");
        JsonNode json = new ObjectMapper().readTree(Cli.run("inspect", file, "--json").out());
        assertThat(json.at("/ok").booleanValue()).isTrue();
        assertThat(json.at("/family").textValue()).isEqualTo("SD3.5 Medium (MMDiT-X)");
        assertThat(json.at("/facts/layout").textValue()).startsWith("single file");
        assertThat(json.at("/parts").findValuesAsText("name")).contains("transformer", "vae", "text_encoder_3");
        assertThat(json.at("/parts/0/place").textValue()).startsWith("model.safetensors, diffusers' names");
        assertThat(Cli.run("inspect", "-m", file).out()).contains("layout: single file");
    }

    @Test
    void inspectWhatComesAlong() {
        assertThat(Cli.run("inspect").out()).startsWith(TestModel.SHAPES + ": SD3.5 Medium");
        assertThat(Cli.run("inspect", TestModel.SHAPES, "-m", TestModel.SHAPES).err()).singleElement().asString()
                .contains("what to inspect is given twice");
    }

    /** A denoiser alone is sound, and what it lacks is said. */
    @Test
    void inspectDenoiserAlone() throws IOException {
        Path file = Files.copy(TestModel.SHAPES.resolve("transformer/diffusion_pytorch_model.safetensors"),
                folder.resolve("x.safetensors"));
        Cli run = Cli.run("inspect", file);
        assertThat(run.code()).isZero();
        assertThat(run.out()).contains("SD3.5 Medium (MMDiT-X)", "no VAE was found", "--vae", "no CLIP-L was found");
        Cli draw = Cli.draw("a", "-m", file, "-o", folder.resolve("x.png"));
        assertThat(draw.code()).isEqualTo(2);
        assertThat(draw.err()).singleElement().asString().contains("x.safetensors", "no VAE was found");
    }

    @Test
    void inspectDamagedModel() throws IOException {
        Path model = TestModel.copy(folder.resolve("m"));
        Files.delete(model.resolve("vae/diffusion_pytorch_model.safetensors"));
        Cli run = Cli.run("inspect", model);
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.out()).containsPattern("vae .*download the model's weights")
                .containsPattern("transformer .* ok");
    }

    @Test
    void inspectPicture() throws IOException {
        Path file = folder.resolve("x.png");
        Png.write(new Picture(1, 1, new byte[3]), Map.of("parameters", "a cat\nSteps: 2"), file);
        assertThat(Cli.run("inspect", file).out()).contains("a cat").contains("Steps: 2");
    }

    @Test
    void inspectWhatIsNoModel() throws IOException {
        for (Path path : new Path[] {folder, folder.resolve("none"), Files.createFile(folder.resolve("a.txt")),
            Files.writeString(folder.resolve("b.safetensors"), "no"),
            Files.writeString(folder.resolve("c.png"), "no")}) {
            Cli run = Cli.run("inspect", path);
            assertThat(run.code()).isEqualTo(2);
            assertThat(run.err()).hasSize(1);
            assertThat(run.out()).isEmpty();
        }
    }
}
