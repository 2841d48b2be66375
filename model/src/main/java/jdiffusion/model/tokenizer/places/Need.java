package jdiffusion.model.tokenizer.places;

import java.util.List;
import java.util.stream.Stream;
import jdiffusion.model.tokenizer.TokenizerKind;

/**
 * What a text encoder needs of a tokenizer.
 *
 * @param label       what the encoder is called in messages
 * @param folder      name of its tokenizer's folder in the diffusers layout, which comes before those of others
 * @param padsWithEnd for CLIP: whether its prompts are padded with the end token
 * @param rows        of its table of tokens; 0 when that is not known
 */
public record Need(String label, String folder, TokenizerKind kind, boolean padsWithEnd, int rows) {
    /**
     * Tables are made larger than the vocabulary, up to the next multiple of 128 rows: published T5 has 32128 for
     * 32000 pieces and 100 sentinels.
     */
    private static final int MOST_SPARE = 128;
    /** As diffusers, Stability and ComfyUI name them. */
    private static final List<String> NAMES = List.of("tokenizer", "tokenizer_2", "tokenizer_3", "tokenizers/clip",
            "tokenizers/t5", "clip", "t5", "sd1_tokenizer", "t5_tokenizer",
            "t5_pile_tokenizer", "");

    /** Folders in which it may lie, seen from one that is looked into; the last is that itself. */
    List<String> names() {
        return Stream.concat(Stream.of(folder), NAMES.stream()).distinct().toList();
    }

    /** Why a vocabulary of a size does not fit the table; an empty string when it does. */
    String misfit(int size) {
        return rows == 0 || size <= rows && rows - size <= MOST_SPARE ? ""
                : "its vocabulary has " + size + " tokens, which does not fit the " + rows + " rows of " + label
                        + "'s table";
    }
}
