package jdiffusion.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.Function;
import java.util.stream.StreamSupport;
import jdiffusion.model.TestData;
import org.junit.jupiter.api.Test;

/** Every id of every reference string, for every reference tokenizer. */
class ReferenceIdsTest {
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
        var json = new ObjectMapper();
        var strings = json.readTree(tokenizers.resolve("strings.json").toFile());
        var lists = json.readTree(tokenizers.resolve("ids.json").toFile()).get(name);
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
