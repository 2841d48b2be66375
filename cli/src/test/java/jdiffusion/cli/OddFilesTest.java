package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files of a model that are no files, or hold nothing that can be used. The limit is for a read that never ends. */
@Timeout(value = 10, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class OddFilesTest {
    @TempDir
    private Path folder;

    private Path model() throws IOException {
        return TestModel.copy(folder.resolve("m"));
    }

    private void check(Path model, Object... parts) {
        check(Cli.draw("a", "--model", model, "-o", folder.resolve("x.png")), parts);
    }

    private static void check(Cli run, Object... parts) {
        assertThat(run.err().stream().filter(line -> line.startsWith("jdiffusion: "))).singleElement().asString()
                .contains(java.util.stream.Stream.of(parts).map(Object::toString).toList());
        assertThat(run.code()).isEqualTo(2);
    }

    private static Path pipe(Path path) throws IOException {
        Files.deleteIfExists(path);
        try {
            assumeTrue(new ProcessBuilder("mkfifo", path.toString()).start().waitFor() == 0, "no mkfifo");
        } catch (IOException | InterruptedException e) {
            assumeTrue(false, "no mkfifo");
        }
        return path;
    }

    @ParameterizedTest
    @ValueSource(strings = {"model_index.json", "generation_config.json", "scheduler/scheduler_config.json",
        "text_encoder/config.json", "vae/config.json", "transformer/diffusion_pytorch_model.safetensors",
        "tokenizer/vocab.json", "tokenizer/merges.txt", "tokenizer_2/merges.txt", "tokenizer/tokenizer_config.json"})
    void aPipeIsNotWaitedFor(String name) throws IOException {
        Path pipe = pipe(model().resolve(name));
        check(folder.resolve("m"), pipe + ": is a pipe or device; a plain file is needed");
    }

    @Test
    void pipesAroundASingleFile() throws IOException {
        Path transformer = model().resolve("transformer");
        Path pipe = pipe(transformer.resolve("scheduler_config.json"));
        check(transformer.resolve("diffusion_pytorch_model.safetensors"), pipe + ": is a pipe");
    }

    @Test
    void aPipeAmongLoras() throws IOException {
        Path lora = Files.createDirectory(folder.resolve("lora"));
        Path pipe = pipe(lora.resolve("adapter_model.safetensors"));
        check(Cli.draw("a", "--lora", lora, "-o", folder.resolve("x.png")), pipe + ": is a pipe");
    }

    @ParameterizedTest
    @ValueSource(strings = {"vae/config.json", "generation_config.json", "tokenizer/merges.txt"})
    void foldersAndLinksInTheirOwnCircle(String name) throws IOException {
        Path file = model().resolve(name);
        Files.deleteIfExists(file);
        Files.createDirectory(file);
        check(folder.resolve("m"), file + ": is a folder; a plain file is needed");
        Files.delete(file);
        Files.createSymbolicLink(file, file.getFileName());
        // Why follows, in the system's language.
        check(folder.resolve("m"), file + ": cannot be read (");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "vae/config.json        | {\"scaling_factor\": NaN} | scaling_factor is \"NaN\" | not a number",
        "tokenizer/vocab.json   | {\"a\": NaN} | not valid JSON at line 1, column |(NaN is not a value of JSON)",
        "vae/config.json        | {\"a\": [    | not valid JSON at line |(it ends too early)",
        "scheduler/scheduler_config.json | {a}  | not valid JSON at line 1, |code 97",
        "tokenizer/vocab.json   | []         | the vocabulary should be an object {...} | but is a list [...]",
        "tokenizer/tokenizer_config.json | {\"eos_token\": 1} | a token should be |but is a whole number"})
    void jsonInOurWords(String name, String text, String place, String reason) throws IOException {
        Path file = Files.writeString(model().resolve(name), text);
        check(folder.resolve("m"), file, place, reason);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "text_encoder/config.json   | \"layer_norm_eps\": 1e-05      | \"layer_norm_eps\": -1"
                + " | layer_norm_eps is -1.0; a positive number is needed",
        "text_encoder_3/config.json | \"layer_norm_epsilon\": 1e-06  | \"layer_norm_epsilon\": 0"
                + " | layer_norm_epsilon is 0.0; a positive number is needed",
        "vae/config.json            | \"scaling_factor\": 1.3574     | \"scaling_factor\": 1e-99"
                + " | scaling_factor is 1.0E-99; a positive number is needed",
        "vae/config.json            | \"act_fn\": \"silu\"           | \"act_fn\": \"relu\""
                + " | act_fn is relu; only silu is known",
        "vae/config.json            | \"AutoencoderKL\"             | \"AutoencoderTiny\""
                + " | _class_name is \"AutoencoderTiny\", the tensors say \"AutoencoderKL\"",
        "transformer/config.json    | \"SD3Transformer2DModel\"     | \"FluxTransformer2DModel\""
                + " | _class_name is \"FluxTransformer2DModel\", the tensors say",
        "generation_config.json     | \"num_inference_steps\": 20   | \"num_inference_steps\": -5"
                + " | num_inference_steps is -5; use 1 or more",
        "generation_config.json     | \"guidance_scale\": 4.0       | \"guidance_scale\": -4"
                + " | guidance_scale is -4.0; use 0 or more",
        "generation_config.json     | \"max_sequence_length\": 256  | \"max_sequence_length\": 0"
                + " | max_sequence_length is 0; use 1 to 512"})
    void valuesThatCannotBe(String name, String from, String to, String reason) throws IOException {
        Path file = model().resolve(name);
        String text = Files.readString(file);
        assertThat(text).contains(from);
        Files.writeString(file, text.replace(from, to));
        check(Cli.run("generate", "a", "-W", 64, "-H", 64, "--steps", 1, "--model", folder.resolve("m"), "-o",
                folder.resolve("x.png")), file, reason);
    }

    @Test
    void weightsWithoutTensors() throws IOException {
        Path file = Files.write(folder.resolve("x.safetensors"), new byte[] {2, 0, 0, 0, 0, 0, 0, 0, '{', '}'});
        check(file, file + ": holds no tensors at all; download it again");
        check(Cli.draw("a", "--vae", file, "-o", folder.resolve("x.png")), file + ": holds no tensors at all");
    }

    @Test
    void anOutputInsideAFile() throws IOException {
        Path file = Files.createFile(folder.resolve("file"));
        Path target = file.resolve("x.safetensors");
        check(Cli.run("convert", TestModel.SHAPES, "-o", target), target + ": " + file + " is no folder; name another");
    }

    /** A name from the command line is not a file of more arguments. */
    @Test
    void argumentsAreTakenAsTheyAre() throws IOException {
        Path pipe = pipe(folder.resolve("arguments"));
        check(Cli.run("generate", "@" + pipe, "--steps", 0, "-o", folder.resolve("x.png")), "0 steps are asked for");
    }
}
