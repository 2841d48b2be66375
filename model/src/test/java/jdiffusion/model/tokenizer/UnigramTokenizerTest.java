package jdiffusion.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UnigramTokenizerTest {
    private static final int EXTRA = 3 + SmallVocabularies.PIECES.size();

    @TempDir
    private Path folder;
    private Tokenizer t5;

    @BeforeEach
    void load() {
        SmallVocabularies.write(folder.resolve("spiece.model"), SmallVocabularies.sentencePiece());
        SmallVocabularies.write(folder.resolve("tokenizer_config.json"), "{\"extra_ids\": 4}");
        t5 = Tokenizer.load(folder);
    }

    private String pieces(String text) {
        return Arrays.stream(t5.encode(text)).mapToObj(id -> switch (id) {
            case 0 -> "<pad>";
            case 1 -> "</s>";
            case 2 -> "<unk>";
            default -> id < EXTRA ? SmallVocabularies.PIECES.get(id - 3) : "<extra_id_" + (EXTRA + 3 - id) + ">";
        }).collect(Collectors.joining(" "));
    }

    @Test
    void cutsWordsIntoTheMostProbablePieces() {
        assertThat(pieces("the cat")).isEqualTo("▁the ▁cat </s>");
        assertThat(pieces("catting")).isEqualTo("▁cat t ing </s>");
        assertThat(pieces("")).isEqualTo("</s>");
        assertThat(pieces(" \t\u3000\n ")).isEqualTo("</s>");
    }

    @Test
    void neighbouringUnknownCharactersAreOneToken() {
        assertThat(pieces("ZZZ")).isEqualTo("▁ <unk> </s>");
        assertThat(pieces("Z aZ😀Za")).isEqualTo("▁ <unk> ▁a <unk> a </s>");
        assertThat(pieces("x😀x")).as("half a pair is no place to stop").isEqualTo("▁ x😀 <unk> </s>");
    }

    @Test
    void appliesTheCharacterMap() {
        assertThat(pieces("Qaté")).isEqualTo("▁ qu at e </s>");
        assertThat(pieces("a\tt%he")).as("space, nothing").isEqualTo("▁a ▁the </s>");
        assertThat(pieces("é\u0302")).as("a short grapheme is replaced whole").isEqualTo("▁ e </s>");
        assertThat(pieces("é\u0302\u0302")).as("a longer one by characters").isEqualTo("▁ e <unk> </s>");
    }

    @Test
    void spaceSignsInTheTextBeginWords() {
        assertThat(pieces("▁the▁a")).isEqualTo("▁the ▁a </s>");
        assertThat(pieces("▁")).isEqualTo("▁ </s>");
    }

    @Test
    void findsSpecialTokensInTheText() {
        assertThat(pieces("a</s>the<pad>")).isEqualTo("▁a </s> ▁the <pad> </s>");
        assertThat(pieces("a <extra_id_0> <extra_id_3>t")).isEqualTo("▁a <extra_id_0> <extra_id_3> ▁ t </s>");
        assertThat(t5.size()).isEqualTo(EXTRA + 4);
    }

    @Test
    void cutsAndPads() {
        var padded = t5.encode("the cat", 5);
        assertThat(padded.ids()).containsExactly(4, 13, 1, 0, 0);
        assertThat(padded.used()).isEqualTo(3);
        assertThat(padded.cut()).isZero();
        var cut = t5.encode("the catting \t the", 4);
        assertThat(cut.ids()).containsExactly(4, 13, 9, 1);
        assertThat(cut.used()).isEqualTo(6);
        assertThat(cut.cut()).isEqualTo(2);
        assertThat(cut.cutText()).isEqualTo("ing the");
        assertThat(t5.encode("the", 1).ids()).containsExactly(1);
        assertThatThrownBy(() -> t5.encode("the", 0)).isInstanceOf(InputException.class);
    }

    @Test
    void readsTheSameFromTokenizerJson() {
        var json = UnigramTokenizer.ofJson(SmallVocabularies.unigramJson(folder.resolve("tokenizer.json")),
                TokenizerSettings.defaults());
        assertThat(json.size()).isEqualTo(EXTRA);
        for (var text : List.of("the cat", "Qaté\tx😀Z</s>", "thingé", "▁a")) {
            assertThat(json.encode(text)).isEqualTo(t5.encode(text));
        }
    }

    @Test
    void findsTheBestOfAllWays() {
        var random = new Random(11);
        for (var n = 0; n < 400; n++) {
            var word = new StringBuilder();
            for (var i = random.nextInt(1, 10); i > 0; i--) {
                word.append("theacing".charAt(random.nextInt(8)));
            }
            var sum = 0.0;
            var joined = new StringBuilder();
            var ids = t5.encode(word.toString());
            for (var id : Arrays.copyOf(ids, ids.length - 1)) {
                // Every letter but i and n is a piece of its own here; those two may be unknown.
                sum += id == 2 ? -17 : SmallVocabularies.SCORES[id - 3];
                joined.append(id == 2 ? "?" : SmallVocabularies.PIECES.get(id - 3));
            }
            if (joined.indexOf("?") < 0) {
                assertThat(joined.toString()).isEqualTo("▁" + word);
                assertThat(sum).isEqualTo(best("▁" + word));
            }
        }
    }

    /** The best sum over all ways to cut, by trying every first piece. */
    private static double best(String rest) {
        var best = rest.isEmpty() ? 0 : Double.NEGATIVE_INFINITY;
        for (var i = 0; i < SmallVocabularies.SCORES.length; i++) {
            if (rest.startsWith(SmallVocabularies.PIECES.get(i))) {
                var tail = best(rest.substring(SmallVocabularies.PIECES.get(i).length()));
                best = Math.max(best, SmallVocabularies.SCORES[i] + tail);
            }
        }
        return best;
    }

    /** Work that grew with the square would take hours, on however fast a machine. */
    @Test
    void longWordsTakeNoSquareTime() {
        Assertions.assertTimeoutPreemptively(Duration.ofMinutes(10), () -> t5.encode("a".repeat(1 << 22)));
    }

    @Test
    void namesWhatIsWrongWithTheModel() {
        refuses(new byte[0], "is empty; download or write it again");
        refuses(new byte[] {10}, "at byte 1", "runs over the end");
        refuses(new byte[] {10, 5, 1}, "5 bytes where 1 are left");
        refuses(new byte[] {10, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1}, "18446744073709551615 bytes");
        refuses(new byte[] {10, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}, "more than ten bytes");
        refuses(new byte[] {11}, "wire type 3");
        refuses(new byte[] {0}, "tag 0");
        refuses(message(1, SmallVocabularies.piece("a", Float.NaN, 1)), "piece 0", "NaN");
        refuses(message(1, SmallVocabularies.piece("", 0, 1)), "piece 0 has 0 characters");
        refuses(message(1, SmallVocabularies.piece("x".repeat(2000), 0, 1)), "2000 characters");
        byte[] unknown = message(1, SmallVocabularies.piece("<unk>", 0, 2));
        byte[] trained = concat(unknown, message(2, new byte[] {3 << 3, 1}));
        refuses(unknown, "has 1 pieces and no trainer_spec after them; it is cut short");
        refuses(trained, "has 1 pieces and no normalizer_spec after them; it is cut short");
        refuses(concat(trained, message(3, new byte[] {3 << 3, 1})), "no token \"</s>\"");
        refuses(message(2, new byte[] {3 << 3, 2}), "model_type", "is 2");
        refuses(message(3, new byte[] {3 << 3, 0}), "add_dummy_prefix is 0");
        refuses(message(3, new byte[] {4 << 3, 0}), "remove_extra_whitespaces is 0");
    }

    private static byte[] concat(byte[] a, byte[] b) {
        var both = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, both, a.length, b.length);
        return both;
    }

    private static byte[] message(int number, byte[] value) {
        var out = new ByteArrayOutputStream();
        SmallVocabularies.field(out, number, value);
        return out.toByteArray();
    }

    private void refuses(byte[] model, String... parts) {
        var file = folder.resolve("spiece.model");
        SmallVocabularies.write(file, model);
        assertThatThrownBy(() -> Tokenizer.load(folder)).isInstanceOf(InputException.class)
                .hasMessageContaining(file.toString()).hasMessageContainingAll(parts);
    }

    @Test
    void namesWhatIsWrongWithTheCharacterMap() {
        assertThatThrownBy(() -> new CharsMap("here", new byte[3])).isInstanceOf(InputException.class);
        refusesMap(0, 1 << 20);
        refusesMap(0, -1024);
        refusesMap(0, 1028);
        refusesMap(4, 5 * 256 << 10);
        refusesMap(4 + 4 * 512, 1 << 31 | 8);
        var endless = Arrays.copyOf(SmallVocabularies.charsMap(), 9000);
        Arrays.fill(endless, 4 + 5 * 1024, 9000, (byte) 'x');
        assertThatThrownBy(() -> new CharsMap("here", endless)).isInstanceOf(InputException.class)
                .hasMessageContaining("longer than 1024");
    }

    private static void refusesMap(int at, int value) {
        var map = SmallVocabularies.charsMap();
        ByteBuffer.wrap(map).order(ByteOrder.LITTLE_ENDIAN).putInt(at, value);
        assertThatThrownBy(() -> new CharsMap("here", map)).isInstanceOf(InputException.class)
                .hasMessageStartingWith("here: ");
    }
}
