package jdiffusion.model.tokenizer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The pieces of a unigram vocabulary with their log probabilities; a piece's place is its id. */
final class Pieces {
    /** T5's longest piece has 16 characters; Viterbi's time grows with this. */
    private static final int MAX_LENGTH = 1024;
    private static final int MAX_CHARS = 1 << 22;

    private final List<String> texts = new ArrayList<>(1 << 15);
    private double[] scores = new double[1 << 15];
    private int chars;

    /** Adds a piece; returns what is wrong with it, or an empty string. */
    String add(String piece, double score) {
        var count = texts.size();
        if (!Double.isFinite(score)) {
            return "piece " + count + " has the score " + score + "; expected a finite number";
        }
        if (piece.isEmpty() || piece.length() > MAX_LENGTH) {
            return "piece " + count + " has " + piece.length() + " characters; expected 1 to " + MAX_LENGTH;
        }
        chars += piece.length();
        if (count == TokenizerSettings.MAX_IDS || chars > MAX_CHARS) {
            return "more pieces than any text encoder has (" + count + " with " + chars + " characters)";
        }
        if (count == scores.length) {
            scores = Arrays.copyOf(scores, count * 2);
        }
        scores[count] = score;
        texts.add(piece);
        return "";
    }

    int count() {
        return texts.size();
    }

    int chars() {
        return chars;
    }

    String text(int id) {
        return texts.get(id);
    }

    double score(int id) {
        return scores[id];
    }
}
