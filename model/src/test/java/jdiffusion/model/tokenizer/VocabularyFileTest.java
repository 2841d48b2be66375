package jdiffusion.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.gguf.GgufWriter;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Vocabularies by the files they lie in: the same ids of every form, and a line for what is no vocabulary. */
class VocabularyFileTest {
    private static final String TEXT = "The cat in%g Qa at x\uD83D\uDE00 </s> <extra_id_1>";
    private static final List<String> TOKENS = List.of("<pad>", "</s>", "<unk>", "\u2581a");

    @TempDir
    private Path folder;

    private Path json(String model) {
        SmallVocabularies.write(folder.resolve("tokenizer.json"), "{\"model\": " + model + "}");
        return folder;
    }

    private AbstractThrowableAssert<?, ? extends Throwable> assertFails(VocabularyFile file) {
        return assertThatThrownBy(() -> file.read(false, Integer.MAX_VALUE, List.of()))
                .isInstanceOf(InputException.class).hasMessageStartingWith(file.path().toString());
    }

    private Path gguf(Consumer<GgufWriter> more) {
        return GgufVocabularies.of(folder.resolve("x.gguf"), TOKENS, new float[] {0, 0, 0, -2},
                new int[] {3, 3, 2, 1}, more);
    }

    @Test
    void sentencePieceAndGgufGiveTheSame() {
        Path spiece = folder.resolve("spiece.model");
        SmallVocabularies.write(spiece, SmallVocabularies.sentencePiece());
        Tokenizer model = VocabularyFile.in(folder, TokenizerKind.T5).read(false, 121, List.of());
        Path gguf = GgufVocabularies.of(spiece, folder.resolve("x.gguf"), 107);
        Tokenizer inside = VocabularyFile.of(gguf).getFirst().read(false, 128, List.of());
        assertThat(inside.encode(TEXT)).isEqualTo(model.encode(TEXT)).contains(model.size() - 2);
        assertThat(inside.size()).isEqualTo(model.size()).isEqualTo(121);
    }

    /** With nothing said of sentinels there are no more than fit the table; what is said counts. */
    @Test
    void sentinelsFitTheTable() {
        SmallVocabularies.write(folder.resolve("spiece.model"), SmallVocabularies.sentencePiece());
        VocabularyFile file = VocabularyFile.in(folder, TokenizerKind.T5);
        assertThat(file.read(false, 21, List.of()).size()).isEqualTo(21);
        assertThat(file.read(false, 30, List.of()).size()).isEqualTo(30);
        assertThat(file.read(false, 1000, List.of()).size()).isEqualTo(121);
        SmallVocabularies.write(folder.resolve("tokenizer_config.json"), "{\"extra_ids\": 7}");
        assertThat(file.read(false, 1000, List.of()).size()).isEqualTo(28);
    }

    @Test
    void formsOfOneFolder() {
        SmallVocabularies.clipFolder(folder, "{\"tokenizer_class\": \"T5Tokenizer\", \"eos_token\": \"none\"}");
        SmallVocabularies.write(folder.resolve("spiece.model"), SmallVocabularies.sentencePiece());
        SmallVocabularies.clipJson(folder.resolve("tokenizer.json"));
        assertThat(VocabularyFile.in(folder)).extracting(VocabularyFile::form).containsExactly(
                VocabularyFile.Form.PAIRS, VocabularyFile.Form.SENTENCEPIECE, VocabularyFile.Form.JSON);
        Tokenizer pairs = VocabularyFile.in(folder).getFirst().read(true, 600, List.of());
        Tokenizer json = VocabularyFile.in(folder).getLast().read(true, 600, List.of(pairs));
        assertThat(json.encode("the cat sat")).isEqualTo(pairs.encode("the cat sat"));
        assertThat(json.encode("the", 9).ids()).isEqualTo(pairs.encode("the", 9).ids());
        int bang = SmallVocabularies.clipTokens().indexOf("!");
        assertThat(VocabularyFile.in(folder).getLast().read(false, 600, List.of()).encode("the", 9).ids())
                .endsWith(bang);
        // The settings name another class, and its end token is in no vocabulary.
        assertThat(VocabularyFile.in(folder).getFirst().hasSettings(TokenizerKind.CLIP)).isFalse();
        assertFails(VocabularyFile.in(folder).get(1)).hasMessageContaining("no token \"none\"");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "{\"type\": \"WordPiece\", \"vocab\": {\"a\": 0}}                       | model of type \"WordPiece\"",
        "{\"vocab\": {\"a\": 0}}                                                | model of type \"\"",
        "{\"type\": \"BPE\", \"end_of_word_suffix\": null, \"vocab\": {}}       | byte pairs of another kind",
        "{\"end_of_word_suffix\": \"\", \"vocab\": {\"a\": 0}, \"merges\": []}    | byte pairs of another kind",
        "{\"type\": \"Unigram\", \"vocab\": [[\"a\", 0.0]                          | not valid JSON",
        "{\"type\": 3}                                                          | type should be",
        "[]                                                                     | model should be"})
    void jsonOfAnotherKind(String model, String reason) {
        assertFails(VocabularyFile.in(json(model)).getFirst()).hasMessageContaining(reason);
    }

    /** The kind is told without reading the vocabulary. */
    @Test
    void kindsOfJson() {
        assertThat(VocabularyFile.in(json("{\"type\": \"Unigram\", \"vocab\": [[\"a\"")).getFirst().kind())
                .isEqualTo(TokenizerKind.T5);
        assertThat(VocabularyFile.in(json("{\"vocab\": [[\"a\"")).getFirst().kind()).isEqualTo(TokenizerKind.T5);
        assertThat(VocabularyFile.in(json("{\"vocab\": {\"a\": 0}, \"merges\": [\"a b\"]}")).getFirst().kind())
                .isEqualTo(TokenizerKind.CLIP);
    }

    @Test
    void aCutFile() throws IOException {
        byte[] whole = SmallVocabularies.sentencePiece();
        SmallVocabularies.write(folder.resolve("spiece.model"), Arrays.copyOf(whole, whole.length / 2));
        assertFails(VocabularyFile.in(folder).getFirst());
        Files.delete(folder.resolve("spiece.model"));
        Files.createSymbolicLink(folder.resolve("spiece.model"), Path.of("nowhere"));
        assertFails(VocabularyFile.in(folder).getFirst()).hasMessageContaining("is a link to a file that is not there");
    }

    @Test
    void ggufWithoutVocabulary() {
        Path file = folder.resolve("x.gguf");
        new GgufWriter().put("general.architecture", "t5encoder").write(file);
        assertThat(VocabularyFile.of(file)).isEmpty();
        assertThat(VocabularyFile.of(folder.resolve("x.safetensors"))).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"llama, tokenizer.ggml.model is llama", "gpt2, tokenizer.ggml.model is gpt2"})
    void ggufOfAnotherKind(String model, String reason) {
        assertFails(VocabularyFile.of(gguf(w -> w.put("tokenizer.ggml.model", model))).getFirst())
                .hasMessageContaining(reason);
    }

    @ParameterizedTest
    @CsvSource({"add_bos_token, 1, add_bos_token is 1; a T5 tokenizer has 0",
        "add_eos_token, 0, add_eos_token is 0; a T5 tokenizer has 1", "add_space_prefix, 0, add_space_prefix is 0",
        "unknown_token_id, 4, 'unknown_token_id is 4, but there are 4 tokens'",
        "eos_token_id, 9, 'eos_token_id is 9, but there are 4 tokens'",
        "padding_token_id, -1, padding_token_id is 4294967295"})
    void ggufWithSettingsOfAnother(String key, int value, String reason) {
        Path file = gguf(w -> w.put("tokenizer.ggml.model", "t5").put("tokenizer.ggml." + key, value));
        assertFails(VocabularyFile.of(file).getFirst()).hasMessageContaining(reason);
    }

    @Test
    void ggufWithListsThatDoNotAgree() {
        Consumer<GgufWriter> t5 = w -> w.put("tokenizer.ggml.model", "t5");
        assertFails(VocabularyFile.of(GgufVocabularies.of(folder.resolve("a.gguf"), TOKENS, new float[3], new int[4],
                t5)).getFirst()).hasMessageContaining("has 4 tokenizer.ggml.tokens, but 3 tokenizer.ggml.scores");
        assertFails(VocabularyFile.of(GgufVocabularies.of(folder.resolve("b.gguf"), TOKENS, new float[4], new int[5],
                t5)).getFirst()).hasMessageContaining("has 4 tokenizer.ggml.tokens, but 5 tokenizer.ggml.token_type");
        assertFails(VocabularyFile.of(gguf(t5.andThen(w -> w.put("tokenizer.ggml.precompiled_charsmap",
                new int[] {1, 300})))).getFirst()).hasMessageContaining("has 300.0, which is no byte");
        Path bare = folder.resolve("c.gguf");
        new GgufWriter().put("tokenizer.ggml.model", "t5").write(bare);
        assertFails(VocabularyFile.of(bare).getFirst()).hasMessageContaining("without tokenizer.ggml.tokens");
        assertThat(VocabularyFile.of(gguf(t5)).getFirst().read(false, 4, List.of()).encode("a")).containsExactly(3, 1);
    }
}
