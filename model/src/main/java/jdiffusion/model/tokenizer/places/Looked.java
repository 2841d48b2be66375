package jdiffusion.model.tokenizer.places;

import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.model.tokenizer.TokenizerKind;
import jdiffusion.model.tokenizer.VocabularyFile;

/**
 * A vocabulary that was looked at.
 *
 * @param place     where it was found, as {@link Place#label}
 * @param foreign   whether that place belongs to other models too
 * @param kind      null when it could not be told
 * @param tokenizer null when it could not be read
 * @param fault     why it does not serve, with its path; an empty string when it does
 */
public record Looked(String place, boolean foreign, VocabularyFile file, TokenizerKind kind, Tokenizer tokenizer,
                     String fault) {
    /** Whether it serves. */
    public boolean fits() {
        return fault.isEmpty();
    }

    /** Its file, or the first of two; of a vocabulary in metadata that of the weights. */
    public String path() {
        return file.files().getFirst().toString();
    }
}
