package jdiffusion.model.tokenizer;

import java.text.Normalizer;

/**
 * CLIP's treatment of text before its vocabulary: NFC, each run of white space to one space, lower case; then words.
 *
 * <p>Source: {@code CLIPTokenizer} in transformers 5 ({@code tokenization_clip.py}). Its regular expression is
 * followed by GPT-2's within each match; the two together are {@link #words}.
 */
final class ClipText {
    private static final String[] SUFFIXES = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    private static final String[] MARKERS = {"<|startoftext|>", "<|endoftext|>"};
    /** Below this no character composes, so most text needs no normaliser. */
    private static final int FIRST_COMBINING = 0x300;

    private ClipText() {
    }

    /** The normalised form of a part of a prompt. */
    static String normalise(String text) {
        var plain = text.chars().allMatch(c -> c < FIRST_COMBINING);
        var composed = plain ? text : Normalizer.normalize(text, Normalizer.Form.NFC);
        var out = new StringBuilder(composed.length());
        var afterSpace = false;
        for (int i = 0, c; i < composed.length(); i += Character.charCount(c)) {
            c = composed.codePointAt(i);
            var space = Text.isSpace(c);
            if (!space) {
                appendLower(out, c);
            } else if (!afterSpace) {
                out.append(' ');
            }
            afterSpace = space;
        }
        return out.toString();
    }

    /** By single characters, without the rule for a final sigma; U+0130 alone has two characters in lower case. */
    private static void appendLower(StringBuilder out, int c) {
        if (c == 0x130) {
            out.append("i\u0307");
        } else {
            out.appendCodePoint(Character.toLowerCase(c));
        }
    }

    /** Receives a word's place in the normalised text. */
    @FunctionalInterface
    interface Sink {
        void word(int begin, int end);
    }

    /**
     * Cuts normalised text into words: a contraction's suffix, a run of letters, one digit, or a run of other
     * characters. A marker that was no added token is cut out of the run it begins, into three words.
     */
    static void words(String text, Sink sink) {
        for (var at = 0; at < text.length();) {
            if (Text.isSpace(text.charAt(at))) {
                at++;
                continue;
            }
            var end = markerEnd(text, at);
            if (end > at) {
                sink.word(at, at + 2);
                sink.word(at + 2, end - 2);
                sink.word(end - 2, end);
            } else {
                end = wordEnd(text, at);
                sink.word(at, end);
            }
            at = end;
        }
    }

    private static int markerEnd(String text, int from) {
        for (var marker : MARKERS) {
            if (text.startsWith(marker, from)) {
                return from + marker.length();
            }
        }
        return from;
    }

    private static int wordEnd(String text, int from) {
        for (var suffix : SUFFIXES) {
            if (text.startsWith(suffix, from)) {
                return from + suffix.length();
            }
        }
        var first = text.codePointAt(from);
        var end = from + Character.charCount(first);
        if (isNumber(first)) {
            return end;
        }
        var letters = Character.isLetter(first);
        while (end < text.length()) {
            var c = text.codePointAt(end);
            var same = letters ? Character.isLetter(c) : !Character.isLetter(c) && !isNumber(c) && !Text.isSpace(c);
            if (!same) {
                break;
            }
            end += Character.charCount(c);
        }
        return end;
    }

    private static boolean isNumber(int c) {
        return switch (Character.getType(c)) {
            case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER -> true;
            default -> false;
        };
    }
}
