package jdiffusion.model.tokenizer;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.PriorityQueue;
import java.util.function.IntConsumer;
import jdiffusion.tensor.InputException;

/** Pairs of tokens that join to a third, each with the rank that says which is joined first: the smallest. */
final class Merges {
    private static final byte[] VERSION = "#version".getBytes(StandardCharsets.UTF_8);

    private final long[] pairs;
    private final int[] ranks;
    private final int[] merged;

    /** @param most pairs that can be put */
    Merges(int most) {
        var size = Integer.highestOneBit(Math.max(4, most)) * 4;
        pairs = new long[size];
        ranks = new int[size];
        merged = new int[size];
    }

    /**
     * Reads merges in the order in which they were learnt.
     *
     * @param file  where they come from, for errors
     * @param ids   id of each token
     * @param lines two tokens separated by a space in UTF-8, learnt first to learnt last; spaces behind them, and
     *              lines that are empty or begin with {@code #version} do not count
     * @param made  told what each pair joins to
     */
    static Merges read(Path file, TokenTable ids, byte[] lines, IntConsumer made) {
        var count = 1;
        for (var b : lines) {
            count += b == '\n' ? 1 : 0;
        }
        var merges = new Merges(count);
        var joined = new byte[64];
        for (int at = 0, line = 1, rank = 0, end; at < lines.length; at = end + 1, line++) {
            for (end = at; end < lines.length && lines[end] != '\n';) {
                end++;
            }
            var stop = end;
            while (stop > at && (lines[stop - 1] == '\r' || lines[stop - 1] == ' ')) {
                stop--;
            }
            var space = stop;
            while (space > at && lines[space - 1] != ' ') {
                space--;
            }
            space = Math.max(space - 1, at);
            if (stop == at || startsWithVersion(lines, at, stop)) {
                continue;
            }
            var left = ids.get(lines, at, space);
            var right = ids.get(lines, Math.min(space + 1, stop), stop);
            joined = join(lines, at, space, stop, joined);
            var both = ids.get(joined, 0, stop - at - 1);
            if (left < 0 || right < 0 || both < 0) {
                throw new InputException(file + ": merge \""
                        + new String(lines, at, Math.min(100, stop - at), StandardCharsets.UTF_8) + "\" (line " + line
                        + ") is not of two tokens in the vocabulary that join to a third; fetch the files again");
            }
            merges.put(left, right, rank++, both);
            made.accept(both);
        }
        return merges;
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

    /** Puts a pair; the last for the same two stays. */
    void put(int left, int right, int rank, int both) {
        var key = key(left, right);
        var slot = slot(key);
        pairs[slot] = key;
        ranks[slot] = rank;
        merged[slot] = both;
    }

    /**
     * Joins in place, until no pair is left that can be.
     *
     * @param symbols  ids; afterwards -1 for those that were joined to one before them
     * @param next     place of the symbol after each, in the end {@code symbols.length}
     * @param previous place of the symbol before each, at the start -1
     */
    void apply(int[] symbols, int[] next, int[] previous) {
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
