package jdiffusion.model.embedding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Names of textual inversions in prompts, and the forms of their files. */
class EmbeddingsTest {
    @TempDir
    private Path folder;

    private Path file(String name, Map<String, Tensor> tensors) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        SafetensorsWriter.write(file, tensors, Map.of());
        return file;
    }

    private static Tensor vectors(int n, int width) {
        float[] values = new float[n * width];
        for (int i = 0; i < values.length; i++) {
            values[i] = i + 1;
        }
        return Tensor.of(values, n, width);
    }

    @BeforeEach
    void files() throws IOException {
        for (String name : List.of("cat", "cat-style", "Bad_Hands5", "sub/deep/night", "one/twice", "two/twice",
                "my v1.5")) {
            file(name + ".safetensors", Map.of("emb_params", vectors(2, 3)));
        }
        Files.write(folder.resolve("old.pt"), new byte[] {1});
        Files.write(folder.resolve("cat.preview.png"), new byte[] {1});
    }

    /** Text as it is, embeddings in brackets. */
    private String split(String prompt) {
        StringBuilder out = new StringBuilder();
        for (Embeddings.Part part : Embeddings.in(folder).split(prompt)) {
            assertThat(part.text() == null).isNotEqualTo(part.inversion() == null);
            out.append(part.text() != null ? part.text() : "[" + part.inversion().name() + "]");
        }
        return out.toString();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', value = {"a cat, CAT|a [cat], [cat]", "cat|[cat]",
        "cats, tomcat, cat_a, cat2, 2cat|cats, tomcat, cat_a, cat2, 2cat", "(cat:1.2) cat's|([cat]:1.2) [cat]'s",
        "cat-style cat-styles|[cat-style] [cat]-styles", "bad_hands5, bad_hands|[Bad_Hands5], bad_hands",
        "embedding:cat, embedding:CAT-Style.|[cat], [cat-style].", "(embedding:cat:1.2)|([cat]:1.2)",
        "embedding:cat.safetensors, embedding:cat.pt x|[cat], [cat] x", "embedding:cat.|[cat].",
        "embedding:sub/deep/night night|[night] [night]", "sub/deep/night|sub/deep/[night]",
        "word embedding: cat|word embedding: [cat]", "myembedding:cat|myembedding:[cat]", "my v1.5 x|[my v1.5] x",
        "embedding:embedding:cat | !", "a dog|a dog"})
    void names(String prompt, String parts) {
        if (parts.equals("!")) {
            assertThatThrownBy(() -> split(prompt)).hasMessageContaining("embedding:embedding is not in");
        } else {
            assertThat(split(prompt)).isEqualTo(parts);
        }
    }

    @Test
    void emptyPrompts() {
        assertThat(Embeddings.in(folder).split("")).containsExactly(new Embeddings.Part("", null));
        assertThat(Embeddings.NONE.split("a cat")).containsExactly(new Embeddings.Part("a cat", null));
    }

    private void assertFails(String prompt, String... parts) {
        assertThatThrownBy(() -> split(prompt)).isInstanceOf(InputException.class)
                .satisfies(e -> assertThat(e.getMessage()).contains(parts).doesNotContain("\n").hasSizeLessThan(700));
    }

    @Test
    void namesThatAreNotThere() {
        assertFails("a embedding:cta, b", "the prompt's embedding:cta is not in " + folder, "near it are cat");
        assertFails("embedding:bad_hand5", "near it are bad_hands5");
        assertFails("embedding:zzzzzzzz x", "embedding:zzzzzzzz is not in", "7 others are there");
        assertFails("twice", "embedding twice may be each of", "one/twice.safetensors", "two/twice.safetensors",
                "as in embedding:one/twice");
        assertThat(split("embedding:two/twice")).isEqualTo("[twice]");
        assertFails("old", "old.pt: a pickled embedding", "safetensors.torch.save_file");
        assertFails("embedding:old.pt", "old.pt: a pickled embedding");
        assertThatThrownBy(() -> Embeddings.NONE.split("a embedding:cat")).isInstanceOf(InputException.class)
                .hasMessageContaining("embedding:cat is an embedding's name, but no folder of embeddings is given");
        assertThatThrownBy(() -> Embeddings.in(folder.resolve("old.pt"))).hasMessageContaining("is not a folder");
    }

    @ParameterizedTest
    @ValueSource(strings = {"emb_params", "string_to_param.*", "*", "<cat-toy>", "anything"})
    void oneEncoders(String key) throws IOException {
        TextualInversion one = TextualInversion.read("x", file("x.safetensors", Map.of(key, vectors(2, 3))));
        assertThat(one.of(TextualInversion.CLIP_L, 3)).isDeepEqualTo(new float[][] {{1, 2, 3}, {4, 5, 6}});
        assertThat(one.of(TextualInversion.CLIP_G, 4)).isNull();
        assertThat(one.describe()).isEqualTo("2 vectors of 3");
        assertThatThrownBy(() -> one.check(new TreeMap<>(Map.of("clip_l", 64, "clip_g", 128))))
                .isInstanceOf(InputException.class).hasMessageEndingWith("x.safetensors: 2 vectors of 3, but the model's"
                        + " text encoders are clip_g, 128 wide, and clip_l, 64 wide; this embedding is for another model");
    }

    @Test
    void bothEncoders() throws IOException {
        Tensor half = Tensor.of(MemorySegment.ofArray(new short[] {0x3c00, 0x4000}), DType.F16,
                Shape.of(2));
        TextualInversion both = TextualInversion.read("x", file("x.safetensors",
                Map.of("clip_l", half, "clip_g", vectors(2, 4), "t5xxl", vectors(1, 8))));
        assertThat(both.of(TextualInversion.CLIP_L, 2)).isDeepEqualTo(new float[][] {{1, 2}});
        assertThat(both.of(TextualInversion.CLIP_G, 4)).hasDimensions(2, 4);
        assertThatThrownBy(() -> both.of(TextualInversion.CLIP_G, 1280)).isInstanceOf(InputException.class)
                .hasMessageContaining("x.safetensors: clip_g is 4 wide, the model's text encoder 1280");
        TextualInversion pivotal = TextualInversion.read("x", file("y.safetensors",
                Map.of("text_encoders_0", vectors(1, 3), "text_encoders_1", vectors(1, 4))));
        assertThat(pivotal.describe()).contains("clip_l 1 vector of 3").contains("clip_g 1 vector of 4");
    }

    private void assertUnusable(String message, Map<String, Tensor> tensors) throws IOException {
        Path file = file("x.safetensors", tensors);
        assertThatThrownBy(() -> TextualInversion.read("x", file)).isInstanceOf(InputException.class)
                .hasMessageContainingAll("x.safetensors: ", message);
    }

    @Test
    void otherFiles() throws IOException {
        assertUnusable("holds vectors for T5 alone", Map.of("t5xxl", vectors(1, 4096)));
        assertUnusable("holds 2 tensors, a, b; a textual inversion has", Map.of("a", vectors(1, 3), "b", vectors(1, 3)));
        assertUnusable("emb_params is F32[1, 1, 3]", Map.of("emb_params", Tensor.of(new float[3], 1, 1, 3)));
        assertUnusable("emb_params is F32[0, 3]", Map.of("emb_params", Tensor.of(new float[0], 0, 3)));
        assertUnusable("clip_l holds NaN", Map.of("clip_l", Tensor.of(new float[] {1, Float.NaN}, 1, 2)));
        Path broken = Files.write(folder.resolve("x.safetensors"), new byte[] {1, 2, 3});
        assertThatThrownBy(() -> TextualInversion.read("x", broken)).isInstanceOf(InputException.class);
    }
}
