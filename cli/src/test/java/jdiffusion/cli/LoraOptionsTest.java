package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import jdiffusion.model.adapter.LoraTags;
import jdiffusion.model.image.Png;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** LoRAs as a user gives them. */
class LoraOptionsTest {
    @TempDir
    private Path folder;

    private Path lora(String name, float value) throws IOException {
        return lora(folder, name, value);
    }

    /** One for the default model. */
    static Path lora(Path folder, String name, float value) throws IOException {
        Map<String, Tensor> tensors = new TreeMap<>();
        float[] down = new float[256];
        float[] up = new float[256];
        for (int i = 0; i < 256; i++) {
            down[i] = value * (i % 5 - 2);
            up[i] = 0.1f * (i % 3 - 1);
        }
        tensors.put("transformer.transformer_blocks.0.attn.to_out.0.lora_A.weight", Tensor.of(down, 1, 256));
        tensors.put("transformer.transformer_blocks.0.attn.to_out.0.lora_B.weight", Tensor.of(up, 256, 1));
        Path file = folder.resolve(name + ".safetensors");
        SafetensorsWriter.write(file, tensors, Map.of());
        return file;
    }

    private static byte[] pixels(Path file) {
        return Png.read(file).picture().rgb();
    }

    @Test
    void drawsAndRepeats() throws IOException {
        Path one = lora("one", 0.3f);
        Path two = lora("two", 0.2f);
        Path plain = folder.resolve("plain.png");
        Path options = folder.resolve("options.png");
        Path tags = folder.resolve("tags.png");
        Path again = folder.resolve("again.png");
        assertThat(Cli.draw("a cat", "-o", plain).code()).isZero();
        Cli run = Cli.draw("a cat", "--lora", one + ":0.5", "--lora", two, "-o", options);
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(run.err()).anyMatch(line -> line.startsWith("settings: ") && line.endsWith("LoRA one, LoRA two"));
        assertThat(pixels(options)).isNotEqualTo(pixels(plain));
        assertThat(Png.texts(options).get("parameters")).startsWith("a cat\n")
                .contains("LoRA 1: \"" + one + ":0.5\", LoRA 2: " + two + ", Lora hashes: \"one: ");

        Cli tagged = Cli.draw("a cat<lora:one:.5><lora:two>", "--lora-dir", folder, "-o", tags);
        assertThat(tagged.code()).as(tagged.err().toString()).isZero();
        assertThat(pixels(tags)).isEqualTo(pixels(options));
        assertThat(Png.texts(tags).get("parameters")).startsWith("a cat<lora:one:.5><lora:two>\n");

        Cli repeated = Cli.run("generate", "--from", options, "-o", again);
        assertThat(repeated.code()).as(repeated.err().toString()).isZero();
        assertThat(again).hasSameBinaryContentAs(options);
        assertThat(repeated.err()).noneMatch(line -> line.startsWith("note:"));
        assertThat(Cli.run("generate", "--from", tags, "--lora-model-dir", folder, "-o", again).code()).isZero();
        assertThat(again).hasSameBinaryContentAs(tags);

        // As A1111 calls some, and has them in prompts by the names of their training.
        Files.createDirectory(folder.resolve("sub"));
        SafetensorsWriter.write(folder.resolve("sub/renamed.safetensors"), Map.of(),
                Map.of("ss_output_name", "trained.as"));
        for (String tag : new String[] {"<lyco:one:.5>", "<LORA:one:.5>", "<lora:two:.5:.5><lora:two:0>"}) {
            assertThat(LoraTags.without("a" + tag)).isEqualTo("a");
            assertThat(LoraTags.loras(tag, null, folder).getFirst().weight()).isEqualTo(0.5f);
        }
        for (String tag : new String[] {"<lora:trained.as:1>", "<lora:sub\\renamed:1>"}) {
            assertThat(LoraTags.loras(tag, null, folder).getFirst().file())
                    .isEqualTo(folder.resolve("sub/renamed.safetensors"));
        }
        lora("one", 0.4f);
        assertThat(Cli.run("generate", "--from", options, "-o", again).err())
                .anyMatch(line -> line.startsWith("note: these are not the LoRAs that " + options));
        assertThat(pixels(again)).isNotEqualTo(pixels(options));
    }

    /** As {@link #lora}, with lengths for rows. */
    static Path dora(Path folder, int outputs) throws IOException {
        float[] down = new float[256];
        float[] up = new float[256];
        float[] lengths = new float[outputs];
        for (int i = 0; i < 256; i++) {
            down[i] = 0.3f * (i % 5 - 2);
            up[i] = 0.1f * (i % 3 - 1);
        }
        Arrays.fill(lengths, 8);
        String module = "lora_unet_transformer_blocks_0_attn_to_out_0.";
        Path file = folder.resolve("dora.safetensors");
        SafetensorsWriter.write(file, Map.of(module + "lora_down.weight", Tensor.of(down, 1, 256),
                module + "lora_up.weight", Tensor.of(up, 256, 1), module + "dora_scale",
                Tensor.of(lengths, outputs, 1)), Map.of());
        return file;
    }

    @Test
    void doraDrawsAndRepeats() throws IOException {
        Path plain = folder.resolve("plain.png");
        Path lora = folder.resolve("lora.png");
        Path dora = folder.resolve("dora.png");
        Path none = folder.resolve("none.png");
        Path again = folder.resolve("again.png");
        assertThat(Cli.draw("a cat", "-o", plain).code()).isZero();
        assertThat(Cli.draw("a cat", "--lora", lora("one", 0.3f), "-o", lora).code()).isZero();
        Path file = dora(folder, 256);
        Cli run = Cli.draw("a cat", "--lora", file, "-o", dora);
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(pixels(dora)).isNotEqualTo(pixels(plain)).isNotEqualTo(pixels(lora));
        assertThat(Cli.draw("a cat", "--lora", file + ":0", "-o", none).code()).isZero();
        assertThat(pixels(none)).isEqualTo(pixels(plain));
        assertThat(Cli.run("generate", "--from", dora, "-o", again).code()).isZero();
        assertThat(again).hasSameBinaryContentAs(dora);
        Cli quantised = Cli.draw("a cat", "--lora", file + ":0.7", "--quantize", "nf4", "-o", again);
        assertThat(quantised.code()).as(quantised.err().toString()).isZero();
        assertFails("lora_unet_transformer_blocks_0_attn_to_out_0.dora_scale is [255, 1], but DoRA's lengths of a layer"
                + " with 256 outputs and 256 inputs are [256, 1] or [1, 256]", "a", "--lora", dora(folder, 255));
    }

    private void assertFails(String message, Object... args) {
        Cli.assertDrawsNothing(folder, message, args);
    }

    @Test
    void whatCannotBeUsedIsOneLine() throws IOException {
        Path file = lora("one", 1);
        assertFails("nowhere.safetensors", "a", "--lora", folder.resolve("nowhere.safetensors") + ":0.5");
        assertFails("one.safetensors:x", "a", "--lora", file + ":x");
        assertFails("say with --lora-dir", "a <lora:one:1>");
        assertFails("has no number for its weight", "a <lora:one:big>", "--lora-dir", folder);
        assertFails("is not there", "a <lora:two:1>", "--lora-dir", folder);
        assertFails("names no file in", "a <lora:../one:1>", "--lora-dir",
                Files.createDirectory(folder.resolve("inner")));
        assertFails("names a hypernetwork, <hypernet:one:1>, which is not supported", "a <hypernet:one:1>");
        assertFails("names no file in", "a <lora::1>", "--lora-dir", folder);
        assertFails("is NaN; give a number", "a", "--lora", file + ":NaN");
        SafetensorsWriter.write(file, Map.of("transformer_blocks.0.attn.to_q.lora_A.weight",
                Tensor.of(new float[1536], 1, 1536), "transformer_blocks.0.attn.to_q.lora_B.weight",
                Tensor.of(new float[1536], 1536, 1)), Map.of());
        assertFails("one.safetensors: transformer_blocks.0.attn.to_q.lora_A.weight is of a matrix [1536, 1536]", "a",
                "--lora", file);
        Files.write(file, new byte[] {1, 2, 3});
        assertFails("one.safetensors", "a", "--lora", file);
    }
}
