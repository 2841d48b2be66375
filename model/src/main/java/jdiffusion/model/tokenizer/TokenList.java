package jdiffusion.model.tokenizer;

import java.util.Arrays;
import jdiffusion.tensor.InputException;

/** The ids of a text while it is encoded, with the place in the normalised text where each begins. */
final class TokenList {
    /** For tokenizers that put nothing before the text. */
    static final int NO_START = -1;

    private final StringBuilder text = new StringBuilder();
    private int[] ids = new int[96];
    private int[] begins = new int[96];
    private int count;

    /** The normalised text so far; writers append to it. */
    StringBuilder text() {
        return text;
    }

    /** Adds an id whose text begins at a place in {@link #text()}. */
    void add(int id, int begin) {
        if (count == ids.length) {
            ids = Arrays.copyOf(ids, count * 2);
            begins = Arrays.copyOf(begins, count * 2);
        }
        ids[count] = id;
        begins[count++] = begin;
    }

    int[] ids(int start, int end) {
        return fit(count + specials(start), start, end, end).ids();
    }

    /** Exactly {@code length} ids: start (unless {@link #NO_START}), what fits, end, padding. */
    Tokens fit(int length, int start, int end, int pad) {
        var specials = specials(start);
        if (length < specials) {
            throw new InputException("a prompt of " + length + " tokens has no room for the " + specials
                    + " special tokens of this text encoder; ask for more");
        }
        var kept = Math.min(count, length - specials);
        var out = new int[length];
        var at = specials - 1;
        if (at > 0) {
            out[0] = start;
        }
        System.arraycopy(ids, 0, out, at, kept);
        out[at + kept] = end;
        Arrays.fill(out, at + kept + 1, length, pad);
        var cutText = kept < count ? text.substring(begins[kept]).strip() : "";
        return new Tokens(out, count + specials, count - kept, cutText);
    }

    private static int specials(int start) {
        return start == NO_START ? 1 : 2;
    }
}
