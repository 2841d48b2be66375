package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** What people are used to from other programs. */
class HabitsTest {
    @TempDir
    private Path folder;

    private static String text(Path picture) {
        return Png.texts(picture).get("parameters");
    }

    private static byte[] pixels(Path file) {
        return Png.read(file).picture().rgb();
    }

    private Path draw(String name, Object... args) {
        Path file = folder.resolve(name);
        Object[] all = java.util.stream.Stream.concat(java.util.stream.Stream.of(args),
                java.util.stream.Stream.of("--steps", 1, "-o", file)).toArray();
        Cli run = Cli.draw(all);
        assertThat(run.code()).as(run.err().toString()).isZero();
        return file;
    }

    @Test
    void aSeedOfMinusOneIsRandom() {
        String one = text(draw("one.png", "a", "--seed", "-1"));
        String two = text(draw("two.png", "a", "-s", "-1"));
        assertThat(one.replaceFirst(".*(Seed: \\d+).*", "$1")).isNotEqualTo(two.replaceFirst(".*(Seed: \\d+).*", "$1"))
                .contains("Seed: ");
    }

    @Test
    void theLastOfTwoCounts() {
        assertThat(text(draw("x.png", "a", "--seed", 1, "--steps", 9, "--seed", 2, "--no-t5")))
                .contains("Seed: 2,", "Steps: 1,");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "generate;- a cat;--steps;1              | generate;--steps;1;--;- a cat",
        "generate;--a cat                        | generate;--;--a cat",
        "generate;-night sky;--steps;1           | generate;--steps;1;--;-night sky",
        "generate;-zoo at night                  | generate;--;-zoo at night",
        "generate;a cat;-nbad and ugly           | generate;a cat;-nbad and ugly",
        "generate;--steps;1;-n;-bad, -ugly;a cat | generate;--steps;1;--negative-prompt=-bad, -ugly;a cat",
        "generate;--seed;-1;a                    | generate;--seed=-1;a",
        "generate;--negative-prompt=a b;c        | generate;--negative-prompt=a b;c",
        "generate;--stpes;1                      | generate;--stpes;1",
        "generate;--prompt=a cat;--steps;1       | generate;--prompt=a cat;--steps;1",
        "generate;mask;-n;x                      | generate;mask;-n;x",
        "generate;mask;- a                       | generate;mask;--;- a",
        "generate;-n;-blue;a                     | generate;--negative-prompt=-blue;a",
        "generate;-shiny red;-n;x                | generate;-n;x;--;-shiny red",
        "generate;--;- a                         | generate;--;- a",
        "generate;-;a                            | generate;-;a"})
    void textsThatBeginWithAHyphen(String given, String wanted) {
        CommandLine generate = new CommandLine(new GenerateCommand());
        assertThat(Arguments.of(given.split(";"), generate.getCommandSpec())).containsExactly(wanted.split(";"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"--steps;--seed;1", "-n;--seed=1;a", "-n;-W512;a", "-n;--;a", "-n;--help"})
    void anOptionIsNoValue(String given) {
        Cli run = Cli.run((Object[]) ("generate;" + given).split(";"));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).singleElement().asString().contains("Expected parameter for option '--", "but found '",
                given.split(";")[1]);
    }

    @ParameterizedTest
    @ValueSource(strings = {"-blue", "-dark", "-bad, -ugly", "--no stripes"})
    void aPromptAndAValueThatBeginWithAHyphen(String negative) {
        Path file = draw("x.png", "-- a red circle", "-n", negative);
        assertThat(text(file)).startsWith("-- a red circle\nNegative prompt: " + negative + "\n");
    }

    @Test
    void lorasAsOtherProgramsNameThem() throws IOException {
        Path inner = Files.createDirectories(folder.resolve("loras/style/old"));
        Path one = LoraOptionsTest.lora(inner, "one", 0.3f);
        Path loras = folder.resolve("loras");
        byte[] half = pixels(draw("option.png", "a", "--lora", one + ":0.5"));
        for (String tag : List.of("<lora:one:0.5>", "<lora:one:1:0.5>", "<lora:one:te=1:unet=0.5>",
                "<lora:one:unet=.5>", "<lora:old/one:0.5>", "<lora:style/old/one.safetensors:0.5>",
                "<lora:one: 0.5 >", "<lora:one:te=0.5>")) {
            assertThat(pixels(draw("tag.png", "a" + tag, "--lora-dir", loras))).as(tag).isEqualTo(half);
        }
        Files.move(one, inner.resolve("Two.SAFETENSORS"));
        assertThat(pixels(draw("tag.png", "a<lora:Two:0.5>", "--lora-dir", loras))).isEqualTo(half);
        fails("says 'lbw=1,0,0'", "a<lora:Two:1:lbw=1,0,0>", "--lora-dir", loras);
        fails("says '64', which is not known here", "a<lora:Two:1:1:64>", "--lora-dir", loras);
        fails("has no number", "a<lora:Two:1:x>", "--lora-dir", loras);
        LoraOptionsTest.lora(loras.resolve("style"), "same", 1);
        LoraOptionsTest.lora(inner, "same", 1);
        fails("may be each of", "a<lora:same:1>", "--lora-dir", loras);
        fails("nor in a folder below", "a<lora:none:1>", "--lora-dir", loras);
    }

    private void fails(String message, Object... args) {
        Cli run = Cli.draw(args);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).singleElement().asString().startsWith("jdiffusion: ").contains(message);
    }

    @Test
    void whatWasSavedInsteadOfTheFile() throws IOException {
        Path page = Files.writeString(folder.resolve("sd3.safetensors"), "<!DOCTYPE html><html><head>");
        fails(page + ": is a web page", "a", "--model", page);
        fails(page + ": is a web page", "a", "--lora", page);
        fails(page + ": is a web page", "a", "--vae", page);
        Path zip = Files.write(folder.resolve("x.safetensors"), "PK\3\4..........".getBytes(StandardCharsets.UTF_8));
        fails("it is a ZIP archive", "a", "--model", zip);
        fails("it is a ZIP archive", "a", "--control-net", zip, "--control-image", Cli.picture(
                folder.resolve("c.png"), 64, 64));
    }

    @Test
    void t5WasNotDownloaded() throws IOException {
        Path model = TestModel.copy(folder.resolve("m"));
        for (String name : List.of("text_encoder_3", "tokenizer_3")) {
            try (var files = Files.list(model.resolve(name))) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
            Files.delete(model.resolve(name));
        }
        Cli run = Cli.run("generate", "a", "-W", 64, "-H", 64, "--steps", 1, "--model", model);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).singleElement().asString().contains("T5, which model_index.json names", "--no-t5");
        assertThat(pixels(draw("x.png", "a", "--model", model))).isEqualTo(pixels(draw("y.png", "a")));
        assertThat(Cli.run("inspect", model).out()).contains("--no-t5");
    }

    @Test
    void aSchedulerOfAnotherKind() throws IOException {
        Path model = TestModel.copy(folder.resolve("m"));
        Path file = model.resolve("scheduler/scheduler_config.json");
        byte[] wanted = pixels(draw("plain.png", "a", "--sampling-method", "dpmpp_2m", "--flow-shift", 4));
        Files.writeString(file, "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"use_flow_sigmas\": true,"
                + " \"flow_shift\": 4.0, \"solver_order\": 2}");
        assertThat(pixels(draw("x.png", "a", "--model", model))).isEqualTo(wanted);
        Files.writeString(file, "{\"_class_name\": \"PNDMScheduler\", \"skip_prk_steps\": true}");
        assertThat(pixels(draw("x.png", "a", "--model", model, "--sampling-method", "dpmpp_2m", "--flow-shift", 4)))
                .isEqualTo(wanted);
        Files.writeString(file, "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"shift\": ");
        fails(file.toString(), "a", "--model", model, "--sampling-method", "dpmpp_2m", "--flow-shift", 4);
        Cli run = Cli.draw("a", "--model", model, "--sampling-method", "dpmpp_2m", "--flow-shift", 4, "--steps", 1,
                "--scheduler", "normal", "-o", folder.resolve("x.png"));
        assertThat(run.err()).anyMatch(line -> line.startsWith("note: " + file) && line.contains("is left aside"));
        assertThat(pixels(folder.resolve("x.png"))).isEqualTo(wanted);
        Files.delete(file);
        assertThat(pixels(draw("x.png", "a", "--model", model, "--sampling-method", "dpmpp_2m", "--flow-shift", 4)))
                .isEqualTo(wanted);
    }
}
