package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import jdiffusion.model.image.Png;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Textual inversions as a user gives them. */
class EmbeddingOptionsTest {
    @TempDir
    private Path folder;
    private Path embeddings;

    @BeforeEach
    void files() throws IOException {
        embeddings = Files.createDirectory(folder.resolve("embeddings"));
        write("style", 0.1f);
    }

    private void write(String name, float value) {
        float[] l = new float[2 * 64];
        float[] g = new float[2 * 128];
        for (int i = 0; i < g.length; i++) {
            g[i] = value * (i % 7 - 3);
            l[i % l.length] = g[i];
        }
        SafetensorsWriter.write(embeddings.resolve(name + ".safetensors"),
                Map.of("clip_l", Tensor.of(l, 2, 64), "clip_g", Tensor.of(g, 2, 128)), Map.of());
    }

    private static byte[] pixels(Path file) {
        return Png.read(file).picture().rgb();
    }

    @Test
    void drawsAndRepeats() {
        Path plain = folder.resolve("plain.png");
        Path bare = folder.resolve("bare.png");
        Path named = folder.resolve("named.png");
        Path again = folder.resolve("again.png");
        assertThat(Cli.draw("a style circle", "-n", "red", "-o", plain).code()).isZero();
        Cli run = Cli.draw("a Style circle", "-n", "red", "--embeddings-dir", embeddings, "-o", bare);
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(run.err()).anyMatch(line -> line.startsWith("settings: ") && line.endsWith(", embedding style"));
        assertThat(pixels(bare)).isNotEqualTo(pixels(plain));
        assertThat(Png.texts(bare).get("parameters")).startsWith("a Style circle\n").contains("TI hashes: \"style: ");
        Cli other = Cli.draw("a embedding:style circle", "-n", "red", "--embd-dir", embeddings, "-o", named);
        assertThat(other.code()).as(other.err().toString()).isZero();
        assertThat(pixels(named)).isEqualTo(pixels(bare));

        Cli repeated = Cli.run("generate", "--from", bare, "--embeddings-dir", embeddings, "-o", again);
        assertThat(repeated.code()).as(repeated.err().toString()).isZero();
        assertThat(again).hasSameBinaryContentAs(bare);
        assertThat(repeated.err()).noneMatch(line -> line.contains("these are not"));
        Cli without = Cli.run("generate", "--from", bare, "-o", again);
        assertThat(without.code()).isEqualTo(2);
        assertThat(without.err()).singleElement().asString()
                .contains("was drawn with the embeddings style: ", "say with --embeddings-dir where they are");
        write("style", 0.2f);
        assertThat(Cli.run("generate", "--from", bare, "--embeddings-dir", embeddings, "-o", again).err())
                .anyMatch(line -> line.startsWith("note: these are not the embeddings that " + bare));
    }

    @Test
    void inTheNegativePrompt() {
        Path plain = folder.resolve("plain.png");
        Path negative = folder.resolve("negative.png");
        assertThat(Cli.draw("a circle", "-n", "style", "-o", plain).code()).isZero();
        Cli run = Cli.draw("a circle", "-n", "style", "--embeddings-dir", embeddings, "-o", negative);
        assertThat(run.code()).as(run.err().toString()).isZero();
        assertThat(pixels(negative)).isNotEqualTo(pixels(plain));
        assertThat(Png.texts(negative).get("parameters")).contains("TI hashes");
    }

    private void assertFails(String message, Object... args) {
        Cli.assertDrawsNothing(folder, message, args);
    }

    @Test
    void whatCannotBeUsedIsOneLine() throws IOException {
        assertFails("say with --embeddings-dir where it is", "a embedding:style");
        assertFails("embedding:stile is not in " + embeddings + "; near it are style", "a embedding:stile",
                "--embeddings-dir", embeddings);
        assertFails("is not a folder", "a", "--embeddings-dir", folder.resolve("nowhere"));
        Files.write(embeddings.resolve("old.pt"), new byte[] {1});
        assertFails("old.pt: a pickled embedding can run programs", "an old cat", "--embeddings-dir", embeddings);
        SafetensorsWriter.write(embeddings.resolve("wide.safetensors"),
                Map.of("emb_params", Tensor.of(new float[1024], 1, 1024)), Map.of());
        assertFails("wide.safetensors: 1 vector of 1024, but the model's text encoders are clip_g, 128 wide, and"
                + " clip_l, 64 wide", "wide", "--embeddings-dir", embeddings);
    }

    @Test
    void inspect() {
        Cli run = Cli.run("inspect", embeddings.resolve("style.safetensors"));
        assertThat(run.code()).isZero();
        assertThat(run.out()).contains("textual inversion: ", "clip_l 2 vectors of 64", "clip_g 2 vectors of 128");
    }
}
