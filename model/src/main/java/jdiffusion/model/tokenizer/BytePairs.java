package jdiffusion.model.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.BitSet;
import java.util.PriorityQueue;
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
    private static final byte[] VERSION = "#version".getBytes(StandardCharsets.UTF_8);
    /** GPT-2's spelling of bytes: printable Latin-1 stands for itself, the rest for what follows U+0100. */
    private static final char[] BYTE_CHARS = byteChars();

    private final int[] inner = new int[256];
    private final int[] last = new int[256];
    private final long[] pairs;
    private final int[] ranks;
    private final int[] merged;
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
        var lines = 1;
        for (var b : merges) {
            lines += b == '\n' ? 1 : 0;
        }
        var size = Integer.highestOneBit(Math.max(4, lines)) * 4;
        pairs = new long[size];
        ranks = new int[size];
        merged = new int[size];
        var joined = new byte[64];
        for (int at = 0, line = 1, rank = 0, end; at < merges.length; at = end + 1, line++) {
            var space = at;
            for (end = at; end < merges.length && merges[end] != '\n'; end++) {
                space = merges[end] == ' ' ? end : space;
            }
            var stop = end > at && merges[end - 1] == '\r' ? end - 1 : end;
            if (stop == at || startsWithVersion(merges, at, stop)) {
                continue;
            }
            var left = ids.get(merges, at, space);
            var right = ids.get(merges, Math.min(space + 1, stop), stop);
            joined = join(merges, at, space, stop, joined);
            var both = ids.get(joined, 0, stop - at - 1);
            if (left < 0 || right < 0 || both < 0) {
                throw new InputException(file + ": merge \""
                        + new String(merges, at, Math.min(100, stop - at), StandardCharsets.UTF_8) + "\" (line " + line
                        + ") is not of two tokens in the vocabulary that join to a third; fetch the files again");
            }
            var key = key(left, right);
            var slot = slot(key);
            pairs[slot] = key;
            ranks[slot] = rank++;
            merged[slot] = both;
            markMade(both);
        }
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

    private static boolean startsWithVersion(byte[] text, int from, int to) {
        return text[from] == '#' && to - from >= VERSION.length
                && Arrays.equals(text, from, from + VERSION.length, VERSION, 0, VERSION.length);
    }

    /** The text without its space, in a buffer large enough. */
    private static byte[] join(byte[] text, int from, int space, int to, byte[] buffer) {
        var out = buffer.length < to - from ? new byte[(to - from) * 2] : buffer;
        System.arraycopy(text, from, out, 0, space - from);
        System.arraycopy(text, Math.min(space + 1, to), out, space - from, Math.max(0, to - space - 1));
        return out;
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
        merge(symbols, next, previous);
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

    /** Merges in place. A symbol sits at its first byte; {@code symbols} of bytes merged away are -1. */
    private void merge(int[] symbols, int[] next, int[] previous) {
        var n = symbols.length;
        var queue = new PriorityQueue<Long>();
        for (var i = 0; i + 1 < n; i++) {
            offer(queue, symbols, i, i + 1);
        }
        while (!queue.isEmpty()) {
            var head = queue.poll();
            var left = (int) (long) head;
            var right = next[left];
            // A symbol may have changed since its pair was queued; then the pair has another rank or none.
            if (symbols[left] < 0 || right >= n) {
                continue;
            }
            var slot = slot(key(symbols[left], symbols[right]));
            if (pairs[slot] == 0 || ranks[slot] != head >>> 32) {
                continue;
            }
            symbols[left] = merged[slot];
            symbols[right] = -1;
            next[left] = next[right];
            if (next[left] < n) {
                previous[next[left]] = left;
                offer(queue, symbols, left, next[left]);
            }
            if (previous[left] >= 0) {
                offer(queue, symbols, previous[left], left);
            }
        }
    }

    /** Queues a pair by rank, then by place. */
    private void offer(PriorityQueue<Long> queue, int[] symbols, int left, int right) {
        var slot = slot(key(symbols[left], symbols[right]));
        if (pairs[slot] != 0) {
            queue.add((long) ranks[slot] << 32 | left);
        }
    }

    /** Never 0, which marks an empty slot. */
    private static long key(int left, int right) {
        return ((long) left + 1) << 32 | right;
    }

    private int slot(long key) {
        var slot = Hash.slot(key, pairs.length);
        while (pairs[slot] != 0 && pairs[slot] != key) {
            slot = slot + 1 & pairs.length - 1;
        }
        return slot;
    }
}
