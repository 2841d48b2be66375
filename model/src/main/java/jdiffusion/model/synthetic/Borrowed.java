package jdiffusion.model.synthetic;

import java.nio.file.Path;
import java.util.Objects;
import java.util.stream.Stream;
import jdiffusion.model.checkpoint.Architecture;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.model.tokenizer.VocabularyFile;

/**
 * Tokenizers of another model, whose family may have them in other folders.
 *
 * @param folder that holds the tokenizers' folders
 */
public record Borrowed(Path folder, Architecture architecture) {
    /** Of the kind that an encoder needs, in the folder of its own name or else in another; null for none. */
    VocabularyFile vocabulary(Component encoder) {
        return Stream.of(architecture.tokenizerFolder(encoder), "tokenizer", "tokenizer_2", "tokenizer_3",
                "tokenizer_llama")
                .map(name -> VocabularyFile.in(folder.resolve(name), architecture.tokenizerKind(encoder)))
                .filter(Objects::nonNull).findFirst().orElse(null);
    }

    /** Fails when there is none. */
    public Tokenizer tokenizer(Component encoder) {
        VocabularyFile found = vocabulary(encoder);
        return Tokenizer.load(found == null ? folder.resolve(architecture.tokenizerFolder(encoder)) : found.path());
    }
}
