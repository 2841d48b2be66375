package jdiffusion.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LlamaTokenizerTest {
    private static final String SPACE = "\u2581";
    /** The pieces behind the roles and the bytes, learnt first to last. */
    private static final List<String> PIECES = List.of(SPACE + "t", "he", SPACE + "the", "aa", SPACE + SPACE, SPACE,
            "t", "h", "e", "a");
    private static final int FIRST = 3 + 256;

    @TempDir
    private Path folder;

    private static List<String> tokens() {
        List<String> all = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
        for (int b = 0; b < 256; b++) {
            all.add(String.format("<0x%02X>", b));
        }
        all.addAll(PIECES);
        return all;
    }

    private static byte[] model(int type, int byteFallback, int removesSpaces, int roleOfLast) {
        ProtocolBuffer out = new ProtocolBuffer();
        List<String> tokens = tokens();
        for (int id = 0; id < tokens.size(); id++) {
            int role = id == 0 ? 2 : id < 3 ? 3 : id < FIRST ? 6 : id == tokens.size() - 1 ? roleOfLast : 1;
            out.message(1, new ProtocolBuffer().bytes(1, tokens.get(id).getBytes(StandardCharsets.UTF_8))
                    .number(2, (float) Math.min(0, FIRST - id)).number(3, role));
        }
        return out.message(2, new ProtocolBuffer().number(3, type).number(35, byteFallback))
                .message(3, new ProtocolBuffer().number(4, removesSpaces)).toByteArray();
    }

    private Path folder(String config) {
        SmallVocabularies.write(folder.resolve("tokenizer.model"), model(2, 1, 0, 1));
        SmallVocabularies.write(folder.resolve("tokenizer_config.json"), config);
        return folder;
    }

    private Path json(String steps) {
        List<String> tokens = tokens();
        String vocab = java.util.stream.IntStream.range(0, tokens.size())
                .mapToObj(id -> SmallVocabularies.quoted(tokens.get(id)) + ": " + id).collect(Collectors.joining(", "));
        SmallVocabularies.write(folder.resolve("tokenizer.json"), "{" + steps + ", \"added_tokens\": [{\"id\": 2,"
                + " \"content\": \"</s>\"}], \"model\": {\"type\": \"BPE\", \"end_of_word_suffix\": null,"
                + " \"byte_fallback\": true, \"vocab\": {" + vocab + "}, \"merges\": [\"" + SPACE + " t\", \"h e\", \""
                + SPACE + "t he\", [\"a\", \"a\"], \"" + SPACE + " " + SPACE + "\"]}}");
        return folder;
    }

    private static int[] ids(Object... tokens) {
        List<String> all = tokens();
        return java.util.Arrays.stream(tokens).mapToInt(t -> t instanceof Integer id ? id : all.indexOf(t)).toArray();
    }

    @Test
    void pairsAcrossWordsAndBytes() {
        for (Tokenizer tokenizer : List.of(Tokenizer.load(folder("{}")),
                VocabularyFile.in(json("\"normalizer\": {\"type\": \"Prepend\", \"prepend\": \"" + SPACE + "\"}"))
                        .getLast().read(false, 400, List.of()))) {
            assertThat(tokenizer.encode("")).isEqualTo(ids("</s>"));
            assertThat(tokenizer.encode(" ")).isEqualTo(ids(SPACE + SPACE, "</s>"));
            assertThat(tokenizer.encode("the the")).isEqualTo(ids(SPACE + "the", SPACE + "the", "</s>"));
            // Of equal pairs the first is joined; what is left over stays alone.
            assertThat(tokenizer.encode("aaa")).isEqualTo(ids(SPACE, "aa", "a", "</s>"));
            assertThat(tokenizer.encode("\u00e9x")).isEqualTo(ids(SPACE, "<0xC3>", "<0xA9>", "<0x78>", "</s>"));
            assertThat(tokenizer.encode("<0x41>")).startsWith(ids(SPACE, "<0x3C>", "<0x30>"));
            // A mark in a prompt is one, and a new text begins behind it.
            assertThat(tokenizer.encode("a</s>a")).isEqualTo(ids(SPACE, "a", "</s>", SPACE, "a", "</s>"));
            assertThat(tokenizer.encode("a", 5).ids()).isEqualTo(ids(SPACE, "a", "</s>", "<s>", "<s>"));
            Tokens cut = tokenizer.encode("the the aa the", 3);
            assertThat(cut.ids()).isEqualTo(ids(SPACE + "the", SPACE + "the", "</s>"));
            assertThat(cut.cut()).isEqualTo(3);
            assertThat(cut.cutText()).isEqualTo("aa the");
            assertThat(tokenizer.size()).isEqualTo(tokens().size());
        }
    }

    @Test
    void metaspace() {
        Tokenizer tokenizer = Tokenizer.load(json("\"normalizer\": null, \"pre_tokenizer\": {\"type\": \"Metaspace\","
                + " \"replacement\": \"" + SPACE + "\", \"prepend_scheme\": \"first\", \"split\": false}"));
        assertThat(tokenizer).isInstanceOf(LlamaTokenizer.class);
        assertThat(tokenizer.encode("the")).isEqualTo(ids(SPACE + "the", "</s>"));
        json("\"normalizer\": null");
        assertThatThrownBy(() -> Tokenizer.load(folder)).isInstanceOf(InputException.class)
                .hasMessageContainingAll("tokenizer.json", "neither Prepend nor Metaspace");
    }

    @Test
    void settings() {
        Tokenizer tokenizer = Tokenizer.load(folder("{\"tokenizer_class\": \"LlamaTokenizerFast\", \"add_bos_token\":"
                + " true, \"pad_token\": \"</s>\"}"));
        assertThat(tokenizer.encode("a", 6).ids()).isEqualTo(ids("<s>", SPACE, "a", "</s>", "</s>", "</s>"));
        assertThatThrownBy(() -> Tokenizer.load(folder("{\"add_eos_token\": false}")))
                .isInstanceOf(InputException.class).hasMessageContainingAll("tokenizer.model", "add_eos_token");
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 0, 1, 'model_type (1 is unigram, 2 is BPE) is 1; a Llama tokenizer has 2'",
        "2, 0, 0, 1, byte_fallback is 0; a Llama tokenizer has 1",
        "2, 1, 1, 1, remove_extra_whitespaces is 1; a Llama tokenizer has 0",
        "2, 1, 0, 4, the type of the piece a is 4; a Llama tokenizer has 1"})
    void modelsOfOtherKinds(int type, int bytes, int spaces, int role, String reason) {
        SmallVocabularies.write(folder.resolve("tokenizer.model"), model(type, bytes, spaces, role));
        assertThatThrownBy(() -> Tokenizer.load(folder)).isInstanceOf(InputException.class)
                .hasMessageContainingAll("tokenizer.model", reason);
    }
}
