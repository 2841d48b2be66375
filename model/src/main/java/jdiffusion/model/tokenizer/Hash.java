package jdiffusion.model.tokenizer;

import java.util.SplittableRandom;

/**
 * Multiplicative hashing into tables whose size is a power of two. The factor is drawn anew in each run, so that no
 * file can be made whose entries all fall into one place; nothing but speed depends on it.
 */
final class Hash {
    private static final long FACTOR = new SplittableRandom().nextLong() | 1;

    private Hash() {
    }

    static int slot(long key, int size) {
        return (int) (key * FACTOR >>> 1 + Long.numberOfLeadingZeros(size));
    }

    /** A key for bytes {@code from} until {@code to}. */
    static long key(byte[] text, int from, int to) {
        var key = 1L;
        for (var i = from; i < to; i++) {
            key = key * FACTOR + text[i];
        }
        return key;
    }
}
