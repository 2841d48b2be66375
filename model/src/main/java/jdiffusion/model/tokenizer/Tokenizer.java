package jdiffusion.model.tokenizer;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/**
 * Turns a prompt into the ids that a text encoder's embedding table is indexed with. Immutable; any string can be
 * encoded, unpaired surrogates count as U+FFFD.
 *
 * <p>The ids are those of the CLIPTokenizer and T5Tokenizer classes of transformers 5, and those of SentencePiece for
 * {@link LlamaTokenizer}.
 */
public sealed interface Tokenizer permits ClipTokenizer, UnigramTokenizer, LlamaTokenizer {
    /** All ids of a text, special tokens included, neither cut nor padded. */
    int[] encode(String text);

    /**
     * The ids of a text cut or padded to a length; the special tokens at its ends survive the cut.
     *
     * @param length number of ids wanted
     * @throws InputException when not even the special tokens fit
     */
    Tokens encode(String text, int length);

    /** One more than the largest id this tokenizer can give: the rows an embedding table must have. */
    int size();

    /**
     * Reads the tokenizer of a checkpoint's folder. {@code tokenizer_class} in {@code tokenizer_config.json} says which
     * kind it is; without it the files present do. A checkpoint often holds the same vocabulary twice; the files that
     * are quicker to read come before {@code tokenizer.json}.
     *
     * @throws InputException when files are missing or unusable
     */
    static Tokenizer load(Path folder) {
        return load(folder, Optional.empty());
    }

    /**
     * As {@link #load(Path)}, for a checkpoint with several: when the files are equal to those of a CLIP tokenizer
     * loaded before, its tables are shared, which saves most of the time and memory.
     */
    static Tokenizer load(Path folder, Tokenizer like) {
        return load(folder, like instanceof ClipTokenizer clip ? Optional.of(clip) : Optional.empty());
    }

    private static Tokenizer load(Path folder, Optional<ClipTokenizer> like) {
        if (!Files.isDirectory(folder)) {
            throw new InputException(folder + " is not a folder; expected one with a tokenizer: " + Names.ANY
                    + "; put it there, or give another folder with --tokenizer");
        }
        var settings = TokenizerSettings.read(folder);
        return switch (kind(folder, settings)) {
            case CLIP -> ClipTokenizer.load(folder, settings, like);
            case T5 -> UnigramTokenizer.load(folder, settings);
            case LLAMA -> LlamaTokenizer.load(folder, settings);
        };
    }

    private static TokenizerKind kind(Path folder, TokenizerSettings settings) {
        var name = settings.tokenizerClass();
        if (!name.isEmpty()) {
            return switch (name.toLowerCase(Locale.ROOT)) {
                case "cliptokenizer", "cliptokenizerfast" -> TokenizerKind.CLIP;
                case "t5tokenizer", "t5tokenizerfast" -> TokenizerKind.T5;
                case "llamatokenizer", "llamatokenizerfast" -> TokenizerKind.LLAMA;
                default -> throw new InputException(folder.resolve(Names.CONFIG) + ": tokenizer_class is " + name
                        + "; only CLIPTokenizer, T5Tokenizer and LlamaTokenizer are known");
            };
        }
        if (InputFile.isThere(folder.resolve(Names.SENTENCEPIECE))) {
            return TokenizerKind.T5;
        }
        if (InputFile.isThere(folder.resolve(Names.VOCAB)) || InputFile.isThere(folder.resolve(Names.MERGES))) {
            return TokenizerKind.CLIP;
        }
        if (InputFile.isThere(folder.resolve(Names.LLAMA_MODEL))) {
            return TokenizerKind.LLAMA;
        }
        var json = folder.resolve(Names.JSON);
        if (!InputFile.isThere(json)) {
            throw new InputException(folder + ": no tokenizer here; looked for " + Names.ANY);
        }
        return TokenizerJson.kind(json);
    }
}
