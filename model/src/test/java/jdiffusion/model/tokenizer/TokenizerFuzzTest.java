package jdiffusion.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Damaged files give an {@link InputException} or a tokenizer that takes any text; nothing else may happen. The limit
 * is for a reader that never ends.
 */
@Timeout(value = 10, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class TokenizerFuzzTest {
    private static final int ROUNDS = 300;

    @TempDir
    private Path folder;

    @Test
    void damagedVocabulary() throws Exception {
        SmallVocabularies.clipFolder(folder, "{}");
        fuzz("vocab.json", 1);
    }

    @Test
    void damagedMerges() throws Exception {
        SmallVocabularies.clipFolder(folder, "{}");
        fuzz("merges.txt", 2);
    }

    @Test
    void damagedSettings() throws Exception {
        SmallVocabularies.clipFolder(folder, "{\"pad_token\": {\"content\": \"!\", \"normalized\": true}, "
                + "\"tokenizer_class\": \"CLIPTokenizer\", \"extra_ids\": 3, \"additional_special_tokens\": [\"th\"], "
                + "\"added_tokens_decoder\": {\"7\": {\"content\": \"a\", \"special\": true}}}");
        fuzz("tokenizer_config.json", 3);
    }

    @Test
    void damagedClipJson() throws Exception {
        SmallVocabularies.clipJson(folder.resolve("tokenizer.json"));
        fuzz("tokenizer.json", 4);
    }

    @Test
    void damagedUnigramJson() throws Exception {
        SmallVocabularies.unigramJson(folder.resolve("tokenizer.json"));
        fuzz("tokenizer.json", 5);
    }

    @Test
    void damagedSentencePiece() throws Exception {
        SmallVocabularies.write(folder.resolve("spiece.model"), SmallVocabularies.sentencePiece());
        fuzz("spiece.model", 6);
    }

    @Test
    void damagedCharacterMap() {
        var random = new Random(7);
        var map = SmallVocabularies.charsMap();
        var refused = 0;
        for (var n = 0; n < ROUNDS; n++) {
            CharsMap damaged;
            try {
                damaged = new CharsMap("map", damage(map, random));
            } catch (InputException e) {
                refused++;
                continue;
            }
            damaged.normalise("Qé\t%");
            damaged.normalise(Text.clean(text(random)));
        }
        assertThat(refused).isBetween(ROUNDS / 10, ROUNDS);
    }

    private void fuzz(String name, int seed) throws Exception {
        var random = new Random(seed);
        var file = folder.resolve(name);
        var good = Files.readAllBytes(file);
        use(Tokenizer.load(folder), random);
        var refused = 0;
        for (var n = 0; n < ROUNDS; n++) {
            Files.write(file, damage(good, random));
            Tokenizer tokenizer;
            try {
                tokenizer = Tokenizer.load(folder);
            } catch (InputException e) {
                refused++;
                assertThat(e.getMessage()).contains(folder.toString()).doesNotContain("\n");
                continue;
            }
            use(tokenizer, random);
        }
        assertThat(refused).as("refused").isBetween(ROUNDS / 20, ROUNDS);
    }

    private static void use(Tokenizer tokenizer, Random random) {
        var text = text(random);
        var whole = tokenizer.encode(text);
        var fitted = tokenizer.encode(text, 20);
        assertThat(fitted.ids()).hasSize(20);
        assertThat(fitted.used()).isEqualTo(whole.length);
        assertThat(fitted.cut()).isEqualTo(Math.max(0, whole.length - 20));
        assertThat(Arrays.stream(whole).allMatch(id -> id >= 0 && id < tokenizer.size())).isTrue();
    }

    /** Any UTF-16 units at all, among pieces that mean something. */
    private static String text(Random random) {
        var words = List.of("the ", "cat", "<|endoftext|>", "</s>", "<|", "'s", "\ud83d\ude00", "\ud83d", "\ude00", "▁",
                "é\u0302", "\0", "\t", "Q%");
        var text = new StringBuilder();
        for (var i = random.nextInt(30); i > 0; i--) {
            text.append(random.nextBoolean() ? words.get(random.nextInt(words.size()))
                    : String.valueOf((char) random.nextInt(random.nextBoolean() ? 0x300 : 0x10000)));
        }
        return text.toString();
    }

    private static byte[] damage(byte[] good, Random random) {
        var bytes = good.clone();
        switch (random.nextInt(5)) {
            case 0 -> bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length));
            case 1 -> {
                var at = random.nextInt(bytes.length);
                var length = random.nextInt(Math.min(40, bytes.length - at));
                System.arraycopy(good, at + length, bytes, at, bytes.length - at - length);
                bytes = Arrays.copyOf(bytes, bytes.length - length);
            }
            case 2 -> {
                var digits = "0123456789-.eE{}[],:\" ".getBytes(StandardCharsets.UTF_8);
                bytes[random.nextInt(bytes.length)] = digits[random.nextInt(digits.length)];
            }
            default -> {
                for (var i = random.nextInt(1, 6); i > 0; i--) {
                    bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
                }
            }
        }
        return bytes;
    }
}
