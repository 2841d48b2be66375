package jdiffusion.model.family;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.adapter.EmbeddedFiles;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.embedding.Embeddings;
import jdiffusion.model.families.Families;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.tokenizer.ClipTokenizer;
import jdiffusion.model.tokenizer.Passage;
import jdiffusion.model.tokenizer.Tokens;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Prompts with vectors against a copy of the model in which tokens that the prompts do not have otherwise are these
 * vectors.
 */
class TextualInversionTest {
    /** Tokens of one id each in the default model's vocabulary. */
    private static final List<String> WORDS = List.of("red", "green");
    private static final int L = 64;
    private static final int G = 128;

    private final CpuBackend backend = new CpuBackend(2, Precision.F32);
    private final List<String> notes = new ArrayList<>();
    @TempDir
    private Path folder;

    @AfterEach
    void close() {
        backend.close();
    }

    private static ModelFiles model(Component... leftOut) {
        return Families.open(TestData.defaultModel(), new ModelSources(Map.of(), Set.of(leftOut), null, null));
    }

    private static Tensor vectors(int n, int width) {
        float[] values = new float[n * width];
        for (int i = 0; i < values.length; i++) {
            values[i] = (i * 37 % 101 - 50) / 200f;
        }
        return Tensor.of(values, n, width);
    }

    private ModelFiles embedded(ModelFiles files, Map<String, Tensor> tensors) {
        SafetensorsWriter.write(folder.resolve("My-Style.safetensors"), tensors, Map.of());
        return EmbeddedFiles.of(files, Embeddings.in(folder));
    }

    private List<Conditioning> encode(ModelFiles files, String prompt, String negative) {
        Pipeline pipeline = Pipeline.open(files, backend);
        GenerationRequest request = pipeline.request(prompt).toBuilder().negativePrompt(negative).size(64, 64).t5(false)
                .guidance(3).build();
        pipeline.check(request);
        return pipeline.encode(request, noting());
    }

    private Progress noting() {
        return new Progress() {
            @Override
            public void note(String text) {
                notes.add(text);
            }
        };
    }

    private ModelFiles replaced(boolean g) throws IOException {
        Path copy = TestData.copyOfDefaultModel(folder.resolve("copy"));
        replace(copy.resolve("text_encoder/model.safetensors"), model(), Component.CLIP_L, L);
        if (g) {
            replace(copy.resolve("text_encoder_2/model.safetensors"), model(), Component.CLIP_G, G);
        }
        return Families.open(copy, ModelSources.NONE);
    }

    private static void replace(Path file, ModelFiles plain, Component encoder, int width) throws IOException {
        TestData.rewrite(file, tensors -> tensors.compute("text_model.embeddings.token_embedding.weight", (_, table) -> {
            float[] values = table.toArray();
            for (int i = 0; i < WORDS.size(); i++) {
                int[] ids = plain.tokenizer(encoder).encode(WORDS.get(i));
                assertThat(ids).hasSize(3);
                System.arraycopy(vectors(2, width).toArray(), i * width, values, ids[1] * width, width);
            }
            return Tensor.of(values, table.shape().dims());
        }));
    }

    private static void assertEqual(List<Conditioning> one, List<Conditioning> other) {
        assertThat(one).hasSameSizeAs(other);
        for (int i = 0; i < one.size(); i++) {
            for (String name : List.of(Conditioning.CONTEXT, Conditioning.POOLED)) {
                assertThat(one.get(i).get(name).toArray()).isEqualTo(other.get(i).get(name).toArray());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"my-style", "My-Style", "embedding:MY-style", "embedding:my-style.safetensors"})
    void asTokensWithTheseRows(String name) throws IOException {
        ModelFiles files = embedded(model(), Map.of("clip_l", vectors(2, L), "clip_g", vectors(2, G)));
        List<Conditioning> wanted = encode(replaced(true), "a red green circle", "blue, red green");
        List<Conditioning> got = encode(files, "a " + name + " circle", "blue, " + name);
        assertEqual(got, wanted);
        assertThat(notes).isEmpty();
        assertThat(encode(model(), "a red green circle", "").getLast().get(Conditioning.CONTEXT).toArray())
                .isNotEqualTo(got.getLast().get(Conditioning.CONTEXT).toArray());
    }

    /** Both of its prompts, the second encoder's padding and the layers left out. */
    @Test
    void sdxl() throws IOException {
        Path tiny = TestData.reference().resolve("sdxl/tiny");
        ModelFiles plain = Families.open(tiny, ModelSources.NONE);
        Path copy = TestData.copy(tiny, folder.resolve("copy"));
        replace(copy.resolve("text_encoder/model.safetensors"), plain, Component.CLIP_L, 32);
        replace(copy.resolve("text_encoder_2/model.safetensors"), plain, Component.CLIP_G, 64);
        ModelFiles files = embedded(plain, Map.of("clip_l", vectors(2, 32), "clip_g", vectors(2, 64)));
        List<Conditioning> wanted = encodeSdxl(Families.open(copy, ModelSources.NONE), "red green");
        assertEqual(encodeSdxl(files, "my-style"), wanted);
        assertEqual(encodeSdxl(files, "embedding:my-style"), wanted);
        assertThat(notes).isEmpty();
    }

    private List<Conditioning> encodeSdxl(ModelFiles files, String name) {
        Pipeline pipeline = Pipeline.open(files, backend);
        TextOptions text = new TextOptions(name + " star", "blue " + name, 1);
        GenerationRequest request = pipeline.request("a " + name + " circle").toBuilder().text(text)
                .negativePrompt(name + " square").size(64, 64).guidance(3).build();
        pipeline.check(request);
        return pipeline.encode(request, noting());
    }

    /** CLIP-G reads on as if the name were not there. */
    @Test
    void oneEncodersVectors() throws IOException {
        ModelFiles files = embedded(model(), Map.of("emb_params", vectors(2, L)));
        float[] left = encode(replaced(false), "a red green circle", "").getLast().get(Conditioning.CONTEXT).toArray();
        float[] right = encode(model(), "a circle", "").getLast().get(Conditioning.CONTEXT).toArray();
        Tensor got = encode(files, "a my-style circle", "").getLast()
                .get(Conditioning.CONTEXT);
        int width = got.cols();
        for (int row = 0; row < TextEncoders.CLIP_LENGTH; row++) {
            for (int i = 0; i < L + G; i++) {
                assertThat(got.get(row, i)).isEqualTo((i < L ? left : right)[row * width + i]);
            }
        }
        assertThat(notes).containsExactly("the embedding My-Style has no vectors for text_encoder_2 (CLIP-G), which"
                + " reads the prompt without it: 2 vectors of 64");
    }

    /** Vectors are cut like tokens, and the end stays where it was. */
    @Test
    void moreVectorsThanPlaces() {
        ClipTokenizer tokenizer = (ClipTokenizer) model().tokenizer(Component.CLIP_L);
        int[] plain = tokenizer.encode("a circle");
        Tokens tokens = tokenizer.encode(List.of(new Passage("a ", 70, "x"), new Passage("circle", 9, "y"),
                new Passage("", 0, "")), 77);
        assertThat(tokens.ids()).hasSize(77).startsWith(plain[0], plain[1], -1, -2).endsWith(-73, plain[3]);
        assertThat(tokens.ids()[72]).isEqualTo(plain[2]);
        assertThat(tokens.used()).isEqualTo(83);
        assertThat(tokens.cut()).isEqualTo(6);
        assertThat(tokens.cutText()).isEqualTo("y");
    }

    @Test
    void encodersThatAreNotThere() {
        ModelFiles files = embedded(model(Component.CLIP_L), Map.of("clip_l", vectors(1, L)));
        assertThatThrownBy(() -> encode(files, "my-style", "")).isInstanceOf(InputException.class)
                .hasMessageContaining("clip_l 1 vector of 64, but the model's text encoders are clip_g, 128 wide; this");
        ModelFiles wide = embedded(model(), Map.of("clip_l", vectors(1, L), "clip_g", vectors(1, 1280)));
        assertThatThrownBy(() -> encode(wide, "my-style", "")).isInstanceOf(InputException.class)
                .hasMessageContaining("clip_g is 1280 wide, the model's text encoder 128");
    }

    @Test
    void t5ReadsOn() {
        ModelFiles files = embedded(model(), Map.of("clip_l", vectors(1, L), "clip_g", vectors(1, G)));
        Pipeline pipeline = Pipeline.open(files, backend);
        GenerationRequest request = pipeline.request("a my-style circle").toBuilder().t5(true).guidance(1).build();
        Tensor got = pipeline.encode(request, noting()).getLast().get(Conditioning.CONTEXT);
        Pipeline plain = Pipeline.open(model(), backend);
        Tensor wanted = plain.encode(request.toBuilder().prompt("a circle").build(), Progress.NONE).getLast()
                .get(Conditioning.CONTEXT);
        assertThat(got.slice(TextEncoders.CLIP_LENGTH, got.rows()).toArray())
                .isEqualTo(wanted.slice(TextEncoders.CLIP_LENGTH, wanted.rows()).toArray());
        assertThat(notes).containsExactly("T5 reads the prompt without the embedding My-Style, which is for CLIP");
    }
}
