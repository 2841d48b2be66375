package jdiffusion.model.sites;

import java.util.ArrayList;
import java.util.List;

/**
 * Keeps attention, without a matrix of queries by keys: {@code Attend.at("block.4-8").word("cat")}. For each word it
 * keeps what share of the image's attention goes to its tokens; with {@link #keys} also the attention that every key
 * receives, and how spread that of each query is. Of its place, heads are averaged over; steps, branches and pictures
 * choose.
 *
 * @param place  attentions, with commas between: {@code block.12}, {@code 6-18} for numbers of blocks, {@code **}
 * @param words  of the prompt, each the sum over its tokens
 * @param tokens of the text, each by itself
 * @param top    how many of the keys with the most attention are named; 0 where keys are not looked at
 */
public record Attend(Place place, List<String> words, List<Integer> tokens, int top) implements Experiment {
    public Attend {
        words = List.copyOf(words);
        tokens = List.copyOf(tokens);
    }

    public static Attend at(String attentions) {
        return new Attend(Place.at(attentions), List.of(), List.of(), 0);
    }

    /** The same at steps, branches and pictures, and of heads, of another place. */
    public Attend with(Place other) {
        return new Attend(other, words, tokens, top);
    }

    /** One word more, or several in a row. */
    public Attend word(String word) {
        List<String> all = new ArrayList<>(words);
        all.add(word);
        return new Attend(place, all, tokens, top);
    }

    public Attend tokens(List<Integer> values) {
        return new Attend(place, words, values, top);
    }

    /** Also the keys' mass, the queries' entropy, and so many keys of most mass: a second pass over all scores. */
    public Attend keys(int most) {
        return new Attend(place, words, tokens, most);
    }
}
