package jdiffusion.model.tokenizer;

/**
 * A token that is found in the text before the vocabulary is asked.
 *
 * @param content    its spelling
 * @param normalized whether it is looked for in the normalised text (else in the text as given)
 * @param id         its id, or {@link #UNKNOWN_ID} when only the vocabulary knows
 */
record AddedToken(String content, boolean normalized, int id) {
    static final int UNKNOWN_ID = -1;
}
