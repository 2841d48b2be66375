package jdiffusion.model.tokenizer;

import java.util.Arrays;

/**
 * The most probable way to cut a word into pieces of a unigram vocabulary.
 *
 * <p>Source: Kudo 2018, <a href="https://arxiv.org/abs/1804.10959">arXiv:1804.10959</a>; ties, the unknown score and
 * sums in double as in the tokenizers library ({@code models/unigram/model.rs}).
 */
final class Viterbi {
    /** An unknown character is this much worse than the worst piece. */
    private static final double UNKNOWN_PENALTY = 10;
    private static final int UNREACHED = -1;

    private final Pieces pieces;
    private final PieceTrie trie;
    private final int unk;
    private final double unkScore;

    /** @param unk id of the unknown token */
    Viterbi(Pieces pieces, int unk) {
        this.pieces = pieces;
        this.unk = unk;
        trie = new PieceTrie(pieces.chars());
        var worst = Double.POSITIVE_INFINITY;
        for (var id = 0; id < pieces.count(); id++) {
            trie.put(pieces.text(id), id);
            worst = Math.min(worst, pieces.score(id));
        }
        unkScore = worst - UNKNOWN_PENALTY;
    }

    /** The id of a piece, or -1. */
    int id(String piece) {
        var node = PieceTrie.ROOT;
        for (var i = 0; i < piece.length() && node != PieceTrie.NONE; i++) {
            node = trie.child(node, piece.charAt(i));
        }
        return node == PieceTrie.NONE ? PieceTrie.NONE : trie.value(node);
    }

    /** Encodes a word whose first character stands at {@code begin} of the list's text; -1 for a sign before it. */
    void encode(String word, int begin, TokenList out) {
        var n = word.length();
        var scores = new double[n + 1];
        var starts = new int[n + 1];
        var ids = new int[n + 1];
        Arrays.fill(starts, UNREACHED);
        for (int from = 0, width; from < n; from += width) {
            width = Character.charCount(word.codePointAt(from));
            var known = false;
            var node = trie.child(PieceTrie.ROOT, word.charAt(from));
            for (var to = from + 1; node != PieceTrie.NONE; to++) {
                var id = trie.value(node);
                if (id != PieceTrie.NONE) {
                    reach(scores, starts, ids, from, to, id, pieces.score(id));
                    known |= to == from + width;
                }
                node = to < n ? trie.child(node, word.charAt(to)) : PieceTrie.NONE;
            }
            if (!known) {
                reach(scores, starts, ids, from, from + width, unk, unkScore);
            }
        }
        // From the end back, each place is told where its piece ends; then the pieces are in order.
        var ends = new int[n + 1];
        for (var to = n; to > 0; to = starts[to]) {
            ends[starts[to]] = to;
        }
        var afterUnknown = false;
        for (var from = 0; from < n; from = ends[from]) {
            var id = ids[ends[from]];
            // Neighbouring unknown characters are one unknown token.
            if (id != unk || !afterUnknown) {
                out.add(id, Math.max(0, begin + from));
            }
            afterUnknown = id == unk;
        }
    }

    private static void reach(double[] scores, int[] starts, int[] ids, int from, int to, int id, double score) {
        var sum = score + scores[from];
        if (starts[to] == UNREACHED || sum > scores[to]) {
            scores[to] = sum;
            starts[to] = from;
            ids[to] = id;
        }
    }
}
