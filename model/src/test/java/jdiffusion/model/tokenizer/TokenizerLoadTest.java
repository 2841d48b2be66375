package jdiffusion.model.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenizerLoadTest {
    @TempDir
    private Path folder;

    @Test
    void theFilesPresentDecideWithoutAConfiguration() {
        SmallVocabularies.unigramJson(folder.resolve("tokenizer.json"));
        assertThat(Tokenizer.load(folder)).isInstanceOf(UnigramTokenizer.class);
        SmallVocabularies.clipJson(folder.resolve("tokenizer.json"));
        assertThat(Tokenizer.load(folder)).isInstanceOf(ClipTokenizer.class);
        SmallVocabularies.write(folder.resolve("spiece.model"), SmallVocabularies.sentencePiece());
        assertThat(Tokenizer.load(folder)).isInstanceOf(UnigramTokenizer.class);
    }

    @Test
    void specialTokensMapReplacesTheConfiguration() {
        SmallVocabularies.clipFolder(folder, "{\"pad_token\": \"<|endoftext|>\"}");
        SmallVocabularies.write(folder.resolve("special_tokens_map.json"), "{\"pad_token\": {\"content\": \"!\"}}");
        var bang = SmallVocabularies.clipTokens().indexOf("!");
        assertThat(Tokenizer.load(folder).encode("a", 4).ids()).endsWith(bang);
    }

    @Test
    void equalFilesAreSharedWithOtherSettings() throws IOException {
        var first = Tokenizer.load(SmallVocabularies.clipFolder(folder, "{}"));
        var other = Files.createDirectory(folder.resolve("other"));
        SmallVocabularies.clipFolder(other, "{\"pad_token\": \"!\"}");
        var second = Tokenizer.load(other, first);
        assertThat(second.encode("the", 9).ids()).isEqualTo(Tokenizer.load(other).encode("the", 9).ids());
        assertThat(second.encode("the", 9).ids()).isNotEqualTo(first.encode("the", 9).ids());
        SmallVocabularies.write(other.resolve("merges.txt"), String.join("\n", SmallVocabularies.MERGES.reversed()));
        assertThat(Tokenizer.load(other, first).encode("aat")).isEqualTo(Tokenizer.load(other).encode("aat"))
                .isNotEqualTo(first.encode("aat"));
    }

    @Test
    void namesTheFilesLookedFor() {
        refuses("vocab.json with merges.txt, spiece.model, tokenizer.model, or tokenizer.json");
        SmallVocabularies.write(folder.resolve("vocab.json"), "{}");
        refuses("vocab.json with merges.txt (or tokenizer.json)");
        SmallVocabularies.write(folder.resolve("tokenizer_config.json"), "{\"tokenizer_class\": \"T5TokenizerFast\"}");
        refuses("spiece.model (or tokenizer.json)");
        assertThatThrownBy(() -> Tokenizer.load(folder.resolve("none"))).isInstanceOf(InputException.class)
                .hasMessageContaining("none is not a folder");
    }

    @Test
    void wrongKindOfModel() {
        SmallVocabularies.write(folder.resolve("tokenizer_config.json"), "{\"tokenizer_class\": \"T5Tokenizer\"}");
        SmallVocabularies.clipJson(folder.resolve("tokenizer.json"));
        refuses("model of type \"BPE\"; expected Unigram");
    }

    @Test
    void refusesHugeFilesAndFolders() throws IOException {
        try (var huge = new RandomAccessFile(folder.resolve("spiece.model").toFile(), "rw")) {
            huge.setLength(1L << 33);
        }
        refuses("a tokenizer file has at most");
        Files.delete(folder.resolve("spiece.model"));
        Files.createDirectory(folder.resolve("spiece.model"));
        refuses("is a folder; a plain file is needed");
    }

    private void refuses(String part) {
        assertThatThrownBy(() -> Tokenizer.load(folder)).isInstanceOf(InputException.class)
                .hasMessageContaining(folder.toString()).hasMessageContaining(part);
    }
}
