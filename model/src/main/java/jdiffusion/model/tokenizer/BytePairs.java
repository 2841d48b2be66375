package jdiffusion.model.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.function.Predicate;
import jdiffusion.tensor.InputException;

/**
 * Byte-pair encoding of one word: its bytes are merged pair by pair, the pair learnt first before the others.
 *
 * <p>Source: Sennrich et al. 2016, <a href="https://arxiv.org/abs/1508.07909">arXiv:1508.07909</a>, on bytes as in
 * GPT-2, with {@code </w>} at the end of a word as in CLIP.
 */
final class BytePairs {
    static final String WORD_END = "</w>";
    /** GPT-2's spelling of bytes: printable Latin-1 stands for itself, the rest for what follows U+0100. */
    private static final char[] BYTE_CHARS = byteChars();

    private final int[] inner = new int[256];
    private final int[] last = new int[256];
    private final Merges merges;
    /** The ids of single bytes and of what merges give. */
    private final BitSet made = new BitSet();

    /**
     * @param file   where the merges come from, for errors
     * @param ids    id of each token
     * @param merges lines of two tokens separated by a space in UTF-8, learnt first to learnt last; lines that are
     *               empty or begin with {@code #version} do not count
     */
    BytePairs(Path file, TokenTable ids, byte[] merges) {
        for (var b = 0; b < 256; b++) {
            inner[b] = ids.get(String.valueOf(BYTE_CHARS[b]));
            last[b] = ids.get(BYTE_CHARS[b] + WORD_END);
            markMade(inner[b]);
            markMade(last[b]);
        }
        this.merges = Merges.read(file, ids, merges, this::markMade);
    }

    private void markMade(int id) {
        if (id >= 0) {
            made.set(id);
        }
    }

    /**
     * Fails when the vocabulary has tokens that no text can become, as it has where the last merges are missing.
     * Markers such as {@code <pad>} are no part of words.
     *
     * @param file  where the merges come from
     * @param named whether a token is found in the text before words are
     */
    void checkComplete(Path file, TokenTable ids, Predicate<String> named) {
        var lost = ids.without(made).stream().filter(token -> !named.test(token) && !isMarker(token)).toList();
        if (!lost.isEmpty()) {
            throw new InputException(file + ": no merge makes " + InputException.shown(lost.getFirst())
                    + (lost.size() == 1 ? "" : " nor " + (lost.size() - 1) + " more of the vocabulary's "
                    + ids.count() + " tokens")
                    + "; it is cut short, or belongs to another vocabulary: fetch the files again");
        }
    }

    private static boolean isMarker(String token) {
        return token.startsWith("<") && token.endsWith(">") && !token.endsWith(WORD_END);
    }

    private static char[] byteChars() {
        var chars = new char[256];
        var next = (char) 256;
        for (var b = 0; b < 256; b++) {
            var printable = b > ' ' && b < 127 || b > 160 && b != 173;
            chars[b] = printable ? (char) b : next++;
        }
        return chars;
    }

    /**
     * Encodes part of a text that lies in the list's own text from {@code begin} on.
     *
     * @param unk the id for a byte that the vocabulary does not have
     */
    void encode(String word, int begin, int unk, TokenList out) {
        var bytes = word.getBytes(StandardCharsets.UTF_8);
        var n = bytes.length;
        var symbols = new int[n];
        var next = new int[n];
        var previous = new int[n];
        for (var i = 0; i < n; i++) {
            var id = (i == n - 1 ? last : inner)[bytes[i] & 0xFF];
            symbols[i] = id < 0 ? unk : id;
            next[i] = i + 1;
            previous[i] = i - 1;
        }
        merges.apply(symbols, next, previous);
        var units = 0;
        var charBegin = 0;
        for (int i = 0, seen = 0; i < n; i = next[i]) {
            for (; seen <= i; seen++) {
                if ((bytes[seen] & 0xC0) != 0x80) {
                    charBegin = units;
                    units += (bytes[seen] & 0xF8) == 0xF0 ? 2 : 1;
                }
            }
            out.add(symbols[i], begin + charBegin);
        }
    }
}
