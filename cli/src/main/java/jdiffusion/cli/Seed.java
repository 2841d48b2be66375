package jdiffusion.cli;

import java.math.BigInteger;
import java.util.concurrent.ThreadLocalRandom;
import jdiffusion.tensor.InputException;

/** Seeds: unsigned numbers of 64 bits, as in PyTorch and ComfyUI, kept in a long's bits. */
final class Seed {
    private static final String RANDOM = "random";
    /** What other programs write for it. */
    private static final String MINUS_ONE = "-1";
    private static final long RANDOM_SEEDS = 1L << 32;

    private Seed() {
    }

    /** @throws InputException when it is no whole number from 0 to 2^64 - 1 */
    static long of(String text) {
        return parse(text, "");
    }

    /** The same, or a new seed for "random" and -1. */
    static long orRandom(String text) {
        return text.equalsIgnoreCase(RANDOM) || text.equals(MINUS_ONE)
                ? ThreadLocalRandom.current().nextLong(RANDOM_SEEDS)
                : parse(text, ", or '" + RANDOM + "'");
    }

    private static long parse(String text, String others) {
        try {
            return Long.parseUnsignedLong(text);
        } catch (NumberFormatException e) {
            throw new InputException("the seed is '" + InputException.shown(text) + "'; use a whole number from 0 to "
                    + text(-1) + others, e);
        }
    }

    static String text(long seed) {
        return Long.toUnsignedString(seed);
    }

    static BigInteger number(long seed) {
        return new BigInteger(text(seed));
    }
}
