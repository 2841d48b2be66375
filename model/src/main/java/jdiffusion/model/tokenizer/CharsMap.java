package jdiffusion.model.tokenizer;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;
import jdiffusion.tensor.InputException;

/**
 * SentencePiece's compiled normalisation rules: a double-array trie over UTF-8 bytes whose values point at
 * NUL-terminated replacements.
 *
 * <p>The layout (little endian): bytes in the trie, the trie's 32-bit units, the replacements. A unit holds a label
 * (bits 0 to 7), whether a value ends here (8), a scale (9) and an offset (10 and up) that is exclusive-or'ed with the
 * unit's place; the value itself is a unit with bit 31 set. As in the tokenizers library, and unlike SentencePiece, a
 * short grapheme is looked up whole and its shortest match replaces all of it.
 *
 * <p>Source: {@code Darts-clone}'s unit layout; {@code spm_precompiled} for the matching.
 */
final class CharsMap {
    /** The longest grapheme, in bytes, that is looked up whole. */
    private static final int WHOLE_GRAPHEME = 5;
    /** The longest published replacement has 33 bytes; a bound keeps a small text small. */
    private static final int MAX_REPLACEMENT = 1024;
    /** The builder of such tries works in blocks of this many units, one for each byte. */
    private static final int BLOCK = 256;

    private static final Pattern GRAPHEME = Pattern.compile("\\X");

    private final int[] units;
    private final byte[] replacements;

    /**
     * @param where file and place, for errors
     * @param blob  the compiled rules; empty for none
     */
    CharsMap(String where, byte[] blob) {
        if (blob.length == 0) {
            units = new int[0];
            replacements = blob;
            return;
        }
        var in = ByteBuffer.wrap(blob).order(ByteOrder.LITTLE_ENDIAN);
        var trieBytes = blob.length < 4 ? -1 : in.getInt();
        if (trieBytes <= 0 || trieBytes % (4 * BLOCK) != 0 || trieBytes > blob.length - 4) {
            throw new InputException(where + ": the character map states a trie of " + trieBytes + " bytes in "
                    + blob.length + "; expected a multiple of " + 4 * BLOCK + " that fits; fetch the file again");
        }
        units = new int[trieBytes / 4];
        in.asIntBuffer().get(units);
        replacements = new byte[blob.length - 4 - trieBytes];
        in.get(4 + trieBytes, replacements);
        check(where);
    }

    /** After this no lookup can leave the arrays: all children of a unit lie in its target's block. */
    private void check(String where) {
        for (var i = 0; i < units.length; i++) {
            if (units[i] < 0) {
                continue;
            }
            var target = i ^ offset(units[i]);
            var bad = target >= units.length
                    || hasValue(units[i]) && (units[target] & Integer.MAX_VALUE) >= replacements.length;
            if (bad) {
                throw new InputException(where + ": unit " + i + " of the character map points outside its "
                        + units.length + " units or " + replacements.length + " bytes; fetch the file again");
            }
        }
        var run = 0;
        for (var b : replacements) {
            run = b == 0 ? 0 : run + 1;
            if (run > MAX_REPLACEMENT) {
                throw new InputException(where + ": a replacement in the character map is longer than "
                        + MAX_REPLACEMENT + " bytes; fetch the file again");
            }
        }
    }

    private static int offset(int unit) {
        return unit >>> 10 << ((unit & 1 << 9) >>> 6);
    }

    private static boolean hasValue(int unit) {
        return (unit & 1 << 8) != 0;
    }

    /** A well-formed text with all rules applied. */
    String normalise(String text) {
        if (units.length == 0) {
            return text;
        }
        var out = new StringBuilder(text.length());
        if (text.chars().allMatch(c -> c < 0x80)) {
            replaceEach(text, out);
            return out.toString();
        }
        for (var graphemes = GRAPHEME.matcher(text); graphemes.find();) {
            var grapheme = graphemes.group();
            var bytes = grapheme.getBytes(StandardCharsets.UTF_8);
            var found = bytes.length <= WHOLE_GRAPHEME ? find(bytes) : -1;
            if (found >= 0) {
                append(found, out);
            } else {
                replaceEach(grapheme, out);
            }
        }
        return out.toString();
    }

    private void replaceEach(String text, StringBuilder out) {
        for (int i = 0, c; i < text.length(); i += Character.charCount(c)) {
            c = text.codePointAt(i);
            var found = find(Character.toString(c).getBytes(StandardCharsets.UTF_8));
            if (found >= 0) {
                append(found, out);
            } else {
                out.appendCodePoint(c);
            }
        }
    }

    /** Where the replacement of the shortest match begins, or -1. */
    private int find(byte[] key) {
        var at = offset(units[0]);
        for (var b : key) {
            var label = b & 0xFF;
            at ^= label;
            var unit = units[at];
            // A value's unit has bit 31, which no label has.
            if (label == 0 || (unit & (1 << 31 | 0xFF)) != label) {
                return -1;
            }
            at ^= offset(unit);
            if (hasValue(unit)) {
                return units[at] & Integer.MAX_VALUE;
            }
        }
        return -1;
    }

    private void append(int begin, StringBuilder out) {
        var end = begin;
        while (end < replacements.length && replacements[end] != 0) {
            end++;
        }
        out.append(new String(replacements, begin, end - begin, StandardCharsets.UTF_8));
    }
}
