package jdiffusion.model.tokenizer;

/**
 * A part of a prompt that has places between its words which are not for the vocabulary's tokens.
 *
 * @param text   words; may be empty
 * @param places behind the words
 * @param name   what the places stand for, for messages
 */
public record Passage(String text, int places, String name) {
}
