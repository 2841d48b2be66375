package jdiffusion.model.sites;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.model.Branch;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.tokenizer.Tokenizer;

/** Which tokens of a prompt are a word's. */
final class Words {
    private Words() {
    }

    private static String text(Sites sites, Branch branch) {
        return branch == Branch.UNCOND ? sites.request().negativeText() : sites.request().prompt();
    }

    /** Places of the tokens of every occurrence of a word, or of several in a row, for an encoder. */
    static List<Integer> tokens(Sites sites, Component encoder, String word, Branch branch) {
        String text = text(sites, branch);
        Tokenizer tokenizer = sites.files().tokenizer(encoder);
        int[] all = tokenizer.encode(text);
        List<Integer> tokens = new ArrayList<>();
        for (int from = find(text, word, 0); from >= 0; from = find(text, word, from + word.length())) {
            int first = common(tokenizer.encode(text.substring(0, from).stripTrailing()), all);
            int end = common(tokenizer.encode(text.substring(0, from + word.length())), all);
            for (int i = first; i < end; i++) {
                tokens.add(i);
            }
        }
        return tokens;
    }

    /** How many ids two texts begin with in common: a part's, but for the end that is its own. */
    private static int common(int[] part, int[] all) {
        int mismatch = Arrays.mismatch(part, all);
        return mismatch < 0 ? part.length : mismatch;
    }

    /** A place where a word stands by itself, upper case or lower; -1 for none. */
    private static int find(String text, String word, int from) {
        for (int at = from; at + word.length() <= text.length(); at++) {
            if (text.regionMatches(true, at, word, 0, word.length())
                    && (at == 0 || !Character.isLetterOrDigit(text.charAt(at - 1)))
                    && (at + word.length() == text.length()
                    || !Character.isLetterOrDigit(text.charAt(at + word.length())))) {
                return at;
            }
        }
        return -1;
    }

    static String missing(Sites sites, String word, Branch branch) {
        String text = text(sites, branch);
        return (branch == Branch.UNCOND ? "the negative prompt" : "the prompt") + " has no word \"" + word
                + "\"; its words are " + String.join(", ", text.strip().split("[^\\p{L}\\p{N}']+"));
    }
}
