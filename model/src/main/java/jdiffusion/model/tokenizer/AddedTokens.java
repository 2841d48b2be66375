package jdiffusion.model.tokenizer;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.ToIntFunction;
import java.util.function.UnaryOperator;
import jdiffusion.tensor.InputException;

/**
 * Cuts a text at its added tokens: first those spelled as in the text given, then, after normalising what lies
 * between, those spelled as in the normalised text. The leftmost match wins, of several there the longest.
 */
final class AddedTokens {
    private final Map<String, Integer> ids = new HashMap<>();
    private final PieceTrie raw = new PieceTrie(64);
    private final PieceTrie normalised = new PieceTrie(64);
    private final UnaryOperator<String> normaliser;
    private int largestId;

    /** Receives the parts of a text in order. */
    interface Sink {
        void token(int id, String spelling);

        void text(String normalised);
    }

    /**
     * @param where      the vocabulary file, for errors
     * @param tokens     a later one replaces an earlier one of the same spelling
     * @param idOf       id of a spelling in the vocabulary, or -1; then the token's own id counts
     * @param normaliser what the text between tokens goes through
     * @throws InputException when neither knows the id of a token
     */
    AddedTokens(Path where, List<AddedToken> tokens, ToIntFunction<String> idOf, UnaryOperator<String> normaliser) {
        this.normaliser = normaliser;
        var bySpelling = new LinkedHashMap<String, AddedToken>();
        tokens.forEach(token -> bySpelling.put(token.content(), token));
        for (var token : bySpelling.values()) {
            var known = idOf.applyAsInt(token.content());
            var id = known < 0 ? token.id() : known;
            if (id < 0) {
                throw new InputException(where + " has no token \"" + token.content()
                        + "\", which the tokenizer's settings name; the files do not belong together");
            }
            ids.put(token.content(), id);
            largestId = Math.max(largestId, id);
            var spelling = Text.clean(token.normalized() ? normaliser.apply(token.content()) : token.content());
            (token.normalized() ? normalised : raw).put(spelling, id);
        }
    }

    /** The id of one of the tokens given at first. */
    int id(AddedToken token) {
        return ids.get(token.content());
    }

    boolean has(String token) {
        return ids.containsKey(token);
    }

    int largestId() {
        return largestId;
    }

    /** Cuts a well-formed text. */
    void split(String text, Sink sink) {
        split(raw, text, sink, part -> split(normalised, normaliser.apply(part), sink, sink::text));
    }

    private static void split(PieceTrie tokens, String text, Sink sink, Consumer<String> rest) {
        var from = 0;
        for (var at = 0; at < text.length();) {
            var end = at;
            var id = PieceTrie.NONE;
            var node = tokens.child(PieceTrie.ROOT, text.charAt(at));
            for (var i = at + 1; node != PieceTrie.NONE; i++) {
                if (tokens.value(node) != PieceTrie.NONE) {
                    id = tokens.value(node);
                    end = i;
                }
                node = i < text.length() ? tokens.child(node, text.charAt(i)) : PieceTrie.NONE;
            }
            if (id == PieceTrie.NONE) {
                at++;
                continue;
            }
            if (at > from) {
                rest.accept(text.substring(from, at));
            }
            sink.token(id, text.substring(at, end));
            at = end;
            from = end;
        }
        if (from < text.length()) {
            rest.accept(text.substring(from));
        }
    }
}
