package jdiffusion.model.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.PriorityQueue;
import jdiffusion.tensor.InputException;

/**
 * Byte-pair encoding of one word: its bytes are merged pair by pair, the pair learnt first before the others.
 *
 * <p>Source: Sennrich et al. 2016, <a href="https://arxiv.org/abs/1508.07909">arXiv:1508.07909</a>, on bytes as in
 * GPT-2, with {@code </w>} at the end of a word as in CLIP.
 */
final class BytePairs {
    private static final String WORD_END = "</w>";
    /** GPT-2's spelling of bytes: printable Latin-1 stands for itself, the rest for what follows U+0100. */
    private static final char[] BYTE_CHARS = byteChars();

    private final int[] inner = new int[256];
    private final int[] last = new int[256];
    private final long[] pairs;
    private final int[] ranks;
    private final int[] merged;

    /**
     * @param file   where the merges come from, for errors
     * @param ids    id of each token
     * @param merges left and right halves alternately, learnt first to learnt last
     * @param unk    the id for a byte that the vocabulary does not have
     */
    BytePairs(Path file, Map<String, Integer> ids, String[] merges, int unk) {
        for (var b = 0; b < 256; b++) {
            inner[b] = ids.getOrDefault(String.valueOf(BYTE_CHARS[b]), unk);
            last[b] = ids.getOrDefault(BYTE_CHARS[b] + WORD_END, unk);
        }
        var size = Integer.highestOneBit(Math.max(8, merges.length)) * 2;
        pairs = new long[size];
        ranks = new int[size];
        merged = new int[size];
        for (var i = 0; i < merges.length; i += 2) {
            var left = ids.get(merges[i]);
            var right = ids.get(merges[i + 1]);
            var both = left == null || right == null ? null : ids.get(merges[i].concat(merges[i + 1]));
            if (both == null) {
                throw new InputException(file + ": merge " + (i / 2 + 1) + ", \"" + merges[i] + " " + merges[i + 1]
                        + "\", is of tokens that the vocabulary does not have; the files do not belong together");
            }
            var key = key(left, right);
            var slot = slot(key);
            pairs[slot] = key;
            ranks[slot] = i / 2;
            merged[slot] = both;
        }
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

    /** Encodes part of a text that lies in the list's own text from {@code begin} on. */
    void encode(String word, int begin, TokenList out) {
        var bytes = word.getBytes(StandardCharsets.UTF_8);
        var n = bytes.length;
        var symbols = new int[n];
        var next = new int[n];
        var previous = new int[n];
        for (var i = 0; i < n; i++) {
            symbols[i] = (i == n - 1 ? last : inner)[bytes[i] & 0xFF];
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
        var slot = (int) ((key ^ key >>> 29) * 0x9E3779B97F4A7C15L >>> 32) & pairs.length - 1;
        while (pairs[slot] != 0 && pairs[slot] != key) {
            slot = slot + 1 & pairs.length - 1;
        }
        return slot;
    }
}
