package jdiffusion.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import jdiffusion.model.TestData;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every id of every reference string, for every reference tokenizer. */
class ReferenceIdsTest {
    @TempDir
    private Path folder;

    private final Path shared = TestData.shared();
    private final Path tokenizers = shared.resolve("reference/tokenizers");
    private final Path unigram = tokenizers.resolve("unigram");
    private final Path shapes = shared.resolve("models/shapes");

    @Test
    void clip() throws IOException {
        var clip = Tokenizer.load(tokenizers.resolve("clip"));
        check("clip", text -> clip.encode(text, 77).ids());
    }

    @Test
    void clipUntruncated() throws IOException {
        var clip = Tokenizer.load(tokenizers.resolve("clip"));
        check("clip.untruncated", clip::encode);
    }

    @Test
    void sentencePiece() throws IOException {
        
        var t5 = UnigramTokenizer.ofSentencePiece(unigram.resolve("spiece.model"), TokenizerSettings.read(unigram));
        check("unigram.sentencepiece", t5::encode);
        assertThat(t5.size()).isEqualTo(6100);
    }

    @Test
    void unigramOfTokenizerJson() throws IOException {
        var t5 = UnigramTokenizer.ofJson(unigram.resolve("tokenizer.json"), TokenizerSettings.read(unigram));
        check("unigram.tokenizer_json", t5::encode);
        check("unigram.padded77", text -> t5.encode(text, 77).ids());
        assertThat(t5.size()).isEqualTo(6100);
    }

    /** The published file of CLIP in one is made of the two. */
    @Test
    void clipOfTokenizerJson() throws IOException {
        Path clip = tokenizers.resolve("clip");
        String vocab = Files.readString(clip.resolve("vocab.json"));
        String merges = Files.readAllLines(clip.resolve("merges.txt")).stream()
                .filter(line -> !line.startsWith("#version") && !line.isEmpty()).map(SmallVocabularies::quoted)
                .collect(Collectors.joining(","));
        String model = "\"end_of_word_suffix\": \"</w>\", \"vocab\": " + vocab + ", \"merges\": [" + merges + "]}}";
        for (String type : List.of("\"type\": \"BPE\", ", "")) {
            SmallVocabularies.write(folder.resolve("tokenizer.json"), "{\"added_tokens\": [], \"model\": {" + type
                    + model);
            VocabularyFile file = VocabularyFile.in(folder, TokenizerKind.CLIP);
            Tokenizer json = file.read(true, 49408, List.of());
            check("clip.untruncated", json::encode);
            check("clip", text -> json.encode(text, 77).ids());
            assertThat(TokenizerKind.CLIP.isPublished(json)).isTrue();
        }
    }

    /** The vocabulary in a GGUF file, filled up as converters do, and the SentencePiece model made of that. */
    @Test
    void unigramOfGguf() throws IOException {
        Path gguf = GgufVocabularies.of(unigram.resolve("spiece.model"), folder.resolve("t5.gguf"), 28);
        VocabularyFile file = VocabularyFile.of(gguf).getFirst();
        Tokenizer t5 = file.read(false, 6128, List.of());
        check("unigram.sentencepiece", t5::encode);
        check("unigram.padded77", text -> t5.encode(text, 77).ids());
        assertThat(t5.size()).isEqualTo(6100);
        SmallVocabularies.write(folder.resolve("spiece.model"), file.contents().get("spiece.model"));
        Tokenizer back = Tokenizer.load(folder);
        check("unigram.sentencepiece", back::encode);
        assertThat(back.size()).isEqualTo(6100);
    }

    @Test
    void llama() throws IOException {
        Path llama = shared.resolve("reference/auraflow/tokenizer");
        Path ids = shared.resolve("reference/auraflow/tokenizer_ids.json");
        Tokenizer model = Tokenizer.load(llama);
        Tokenizer json = LlamaTokenizer.ofJson(llama.resolve("tokenizer.json"), TokenizerSettings.read(llama));
        assertThat(model).isInstanceOf(LlamaTokenizer.class);
        for (Tokenizer tokenizer : List.of(model, json)) {
            check("sentencepiece", tokenizer::encode, ids, ids);
            check("tokenizer_json", tokenizer::encode, ids, ids);
            check("padded64", text -> tokenizer.encode(text, 64).ids(), ids, ids);
            assertThat(tokenizer.size()).isEqualTo(1100);
        }
    }

    @Test
    void defaultModel() throws IOException {
        var first = Tokenizer.load(shapes.resolve("tokenizer"));
        check("shapes.tokenizer", text -> first.encode(text, 77).ids());
        var second = Tokenizer.load(shapes.resolve("tokenizer_2"));
        check("shapes.tokenizer_2", text -> second.encode(text, 77).ids());
        var third = Tokenizer.load(shapes.resolve("tokenizer_3"));
        check("shapes.tokenizer_3", text -> third.encode(text, 256).ids());
    }

    private void check(String name, Function<String, int[]> encode) throws IOException {
        check(name, encode, tokenizers.resolve("strings.json"), tokenizers.resolve("ids.json"));
    }

    /** @param from a list of strings, or an object that has it */
    private static void check(String name, Function<String, int[]> encode, Path from, Path ids) throws IOException {
        var json = new ObjectMapper();
        var all = json.readTree(from.toFile());
        var strings = all.isArray() ? all : all.get("strings");
        var lists = json.readTree(ids.toFile()).get(name);
        assertThat(lists.size()).isEqualTo(strings.size()).isEqualTo(39);
        for (var i = 0; i < strings.size(); i++) {
            assertThat(encode.apply(strings.get(i).textValue()))
                    .as("%s, string %d: %s", name, i, strings.get(i)).isEqualTo(ids(lists.get(i)));
        }
    }

    private static int[] ids(JsonNode list) {
        return StreamSupport.stream(list.spliterator(), false).mapToInt(JsonNode::intValue).toArray();
    }
}
