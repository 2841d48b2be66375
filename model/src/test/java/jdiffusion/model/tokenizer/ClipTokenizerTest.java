package jdiffusion.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ClipTokenizerTest {
    private static final List<String> TOKENS = SmallVocabularies.clipTokens();

    @TempDir
    private Path folder;
    private Tokenizer clip;

    @BeforeEach
    void load() {
        clip = Tokenizer.load(SmallVocabularies.clipFolder(folder, "{\"tokenizer_class\": \"CLIPTokenizer\"}"));
    }

    private List<String> tokens(String text) {
        var all = Arrays.stream(clip.encode(text)).mapToObj(TOKENS::get).toList();
        assertThat(all.getFirst()).isEqualTo("<|startoftext|>");
        assertThat(all.getLast()).isEqualTo("<|endoftext|>");
        return all.subList(1, all.size() - 1);
    }

    @Test
    void mergesTheEarliestLearntPairFirst() {
        assertThat(tokens("the cat")).containsExactly("the</w>", "cat</w>");
        assertThat(tokens("thing")).containsExactly("th", "ing</w>");
        assertThat(tokens("caté")).containsExactly("ca", "t", "Ã©</w>");
    }

    @Test
    void lowersCaseComposesAndJoinsWhiteSpace() {
        assertThat(tokens("  THE\t\u3000\u0085Cat\n")).containsExactly("the</w>", "cat</w>");
        assertThat(tokens("E\u0301")).containsExactly("Ã©</w>");
        assertThat(tokens("\u0130")).isEqualTo(tokens("i\u0307")).hasSize(3);
        assertThat(tokens("\u03a3")).as("no final sigma").isEqualTo(tokens("\u03c3"));
        assertThat(tokens("\u200b")).as("zero width space is no white space").hasSize(3);
    }

    @Test
    void splitsContractionsDigitsAndSigns() {
        assertThat(tokens("a's'at12!?a")).containsExactly("a</w>", "'", "s</w>", "'</w>", "at</w>", "1</w>", "2</w>",
                "!", "?</w>", "a</w>");
        assertThat(tokens("!'s")).containsExactly("!", "'</w>", "s</w>");
    }

    @Test
    void findsSpecialTokensInTheText() {
        assertThat(tokens("a<|endoftext|>the")).containsExactly("a</w>", "<|endoftext|>", "the</w>");
        assertThat(tokens("<|EndOfText|>!").getFirst()).as("only as spelled").isEqualTo("<");
        assertThat(tokens("<|EndOfText|>!").getLast()).as("the marker's end is a word").isEqualTo("!</w>");
        var normalised = "{\"eos_token\": \"<|endoftext|>\", \"pad_token\": \"!\", \"added_tokens_decoder\": {\""
                + (TOKENS.size() - 1) + "\": {\"content\": \"<|endoftext|>\", \"normalized\": true}}}";
        clip = Tokenizer.load(SmallVocabularies.clipFolder(folder, normalised));
        assertThat(tokens("<|EndOfText|>!a")).containsExactly("<|endoftext|>", "!", "a</w>");
    }

    @Test
    void cutsAndPads() {
        var end = TOKENS.size() - 1;
        var padded = clip.encode("the cat", 6);
        assertThat(padded.ids()).containsExactly(end - 1, TOKENS.indexOf("the</w>"), TOKENS.indexOf("cat</w>"), end,
                end, end);
        assertThat(padded.used()).isEqualTo(4);
        assertThat(padded.cut()).isZero();
        assertThat(padded.cutText()).isEmpty();
        var cut = clip.encode("The cat, thing THE", 5);
        assertThat(cut.ids()).containsExactly(end - 1, TOKENS.indexOf("the</w>"), TOKENS.indexOf("cat</w>"),
                TOKENS.indexOf(",</w>"), end);
        assertThat(cut.used()).isEqualTo(8);
        assertThat(cut.cut()).isEqualTo(3);
        assertThat(cut.cutText()).isEqualTo("thing the");
        assertThat(clip.encode("a😀😀", 6).cutText()).as("a character that is cut in two counts as cut")
                .isEqualTo("😀😀");
        assertThat(clip.encode("x", 2).ids()).containsExactly(end - 1, end);
        assertThatThrownBy(() -> clip.encode("x", 1)).isInstanceOf(InputException.class).hasMessageContaining("2");
    }

    @Test
    void padsWithTheConfiguredToken() {
        var second = Tokenizer.load(SmallVocabularies.clipFolder(folder, "{\"pad_token\": \"!\"}"));
        assertThat(second.encode("a", 5).ids()).endsWith(TOKENS.size() - 1, TOKENS.indexOf("!"),
                TOKENS.indexOf("!"));
    }

    @Test
    void readsTheSameFromTokenizerJson() {
        var json = ClipTokenizer.ofJson(SmallVocabularies.clipJson(folder.resolve("tokenizer.json")),
                TokenizerSettings.defaults());
        assertThat(json.size()).isEqualTo(clip.size()).isEqualTo(TOKENS.size());
        for (var text : List.of("the cat in the hat", "thing's caté 42", "<|endoftext|>aaaa")) {
            assertThat(json.encode(text)).isEqualTo(clip.encode(text));
        }
    }

    @Test
    void mergesAsTheNaiveAlgorithmDoes() {
        var random = new Random(3);
        for (var n = 0; n < 500; n++) {
            var word = new StringBuilder();
            for (var i = random.nextInt(1, 24); i > 0; i--) {
                word.append("theacing".charAt(random.nextInt(8)));
            }
            assertThat(tokens(word.toString())).as(word.toString()).isEqualTo(naive(word.toString()));
        }
    }

    private static List<String> naive(String word) {
        var parts = new ArrayList<>(word.chars().mapToObj(Character::toString).toList());
        parts.set(parts.size() - 1, parts.getLast() + "</w>");
        while (true) {
            var best = SmallVocabularies.MERGES.size();
            var at = -1;
            for (var i = 0; i + 1 < parts.size(); i++) {
                var rank = SmallVocabularies.MERGES.indexOf(parts.get(i) + " " + parts.get(i + 1));
                if (rank >= 0 && rank < best) {
                    best = rank;
                    at = i;
                }
            }
            if (at < 0) {
                return parts;
            }
            parts.set(at, parts.get(at) + parts.remove(at + 1));
        }
    }

    /** Work that grew with the square would take hours, on however fast a machine. */
    @Test
    void longWordsTakeNoSquareTime() {
        Assertions.assertTimeoutPreemptively(Duration.ofMinutes(10), () -> clip.encode("a".repeat(1 << 21)));
    }

    @Test
    void namesWhatIsWrongWithTheFiles() {
        refuses("vocab.json", "{\"a\": -1}", "vocab.json at line 1, column 7", "-1");
        refuses("vocab.json", "{\"a\": 99999999999}", "vocab.json", "99999999999");
        refuses("vocab.json", "{\"a\": 1", "vocab.json: not valid JSON at line 1");
        refuses("vocab.json", "[]", "vocab.json", "should be an object {...} but is a list [...]");
        refuses("vocab.json", "{}", "vocab.json has no tokens");
        refuses("vocab.json", "", "vocab.json");
        refuses("vocab.json", "{\"<|startoftext|>\": 0}", "merges.txt", "t h", "line 2");
        refuses("merges.txt", "#version\nt h\nt x y\n", "merges.txt", "t x y", "line 3");
        refuses("merges.txt", "th\n", "merges.txt", "line 1");
        refuses("merges.txt", "t q\n", "merges.txt", "t q");
        refuses("merges.txt", String.join("\n", SmallVocabularies.MERGES.subList(0, 13)),
                "merges.txt: no merge makes \\u00c3\\u00a9</w>; it is cut short");
        refuses("merges.txt", "t h\n", "merges.txt: no merge makes the</w> nor 11 more of the vocabulary's 527 tokens");
        refuses("vocab.json", "{\"a\": 1, \"b\": 2, \"c\": 1}", "vocab.json at line 1",
                "the tokens a and c both have the id 1");
        refuses("tokenizer_config.json", "{\"tokenizer_class\": \"BertTokenizer\"}", "tokenizer_class", "Bert");
        refuses("tokenizer_config.json", "{\"pad_token\": 3}", "tokenizer_config.json at line 1");
        refuses("tokenizer_config.json", "{\"added_tokens_decoder\": {\"-1\": \"a\"}}", "-1");
        refuses("tokenizer_config.json", "{\"pad_token\": \"<pad>\"}", "no token \"<pad>\"");
    }

    /** As editors leave them behind lines. */
    @Test
    void spacesBehindMerges() {
        SmallVocabularies.clipFolder(folder, "{}");
        SmallVocabularies.write(folder.resolve("merges.txt"), "#version: 0.2 \r\n"
                + String.join(" \r\n", SmallVocabularies.MERGES) + "\n  \n");
        assertThat(Tokenizer.load(folder).encode("the cat at it")).isEqualTo(clip.encode("the cat at it"));
    }

    /** A token that the settings name or that looks like a marker is no part of words. */
    @Test
    void tokensOutsideWordsNeedNoMerges() {
        SmallVocabularies.clipFolder(folder, "{\"added_tokens_decoder\": {\"526\": {\"content\": \"cat photo\"}}}");
        String vocabulary = SmallVocabularies.clipVocab();
        SmallVocabularies.write(folder.resolve("vocab.json"), vocabulary.substring(0, vocabulary.length() - 1)
                + ", \"cat photo\": 600, \"<pad>\": 601}");
        assertThat(Tokenizer.load(folder).encode("cat photo")).contains(600);
    }

    private void refuses(String file, String content, String... parts) {
        SmallVocabularies.clipFolder(folder, "{}");
        SmallVocabularies.write(folder.resolve(file), content.getBytes(StandardCharsets.UTF_8));
        assertThatThrownBy(() -> Tokenizer.load(folder)).isInstanceOf(InputException.class)
                .hasMessageContainingAll(parts);
    }
}
