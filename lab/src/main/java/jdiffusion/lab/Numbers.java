package jdiffusion.lab;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.util.Locale;

/** Numbers as they are written in launches. */
final class Numbers {

    private Numbers() {}

    static boolean isReal(String text) {
        return !text.contains("x") && !text.contains("X") && (text.contains(".") || text.contains("e")
                || text.contains("E") || text.endsWith("f") || text.contains("n"));
    }

    /** @throws IllegalArgumentException when the text is no number */
    static double real(String text) {
        String plain = text.toLowerCase(Locale.ROOT);
        if (plain.endsWith("inf")) {
            return plain.startsWith("-") ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
        }
        if (plain.endsWith("nan")) {
            return Double.NaN;
        }
        return isReal(text) ? Double.parseDouble(text) : integer(text).doubleValue();
    }

    /** Stores a whole number; one that neither the signed nor the unsigned type of its width holds is refused. */
    static void putInteger(MemorySegment slot, DataType type, String text) {
        if (isReal(text)) {
            throw new IllegalArgumentException(text + " is given where the kernel takes a whole number ("
                    + type.label() + "); " + "write f32(" + text + ") if its bits are meant");
        }
        BigInteger value = integer(text);
        int bits = 8 * type.bytes();
        if (value.bitLength() > bits || value.signum() < 0 && value.bitLength() > bits - 1) {
            throw new IllegalArgumentException(text + " does not fit into " + type.label());
        }
        switch (bits) {
            case 8 -> slot.set(ValueLayout.JAVA_BYTE, 0, value.byteValue());
            case 16 -> slot.set(ValueLayout.JAVA_SHORT_UNALIGNED, 0, value.shortValue());
            case 32 -> slot.set(ValueLayout.JAVA_INT_UNALIGNED, 0, value.intValue());
            default -> slot.set(ValueLayout.JAVA_LONG_UNALIGNED, 0, value.longValue());
        }
    }

    private static BigInteger integer(String text) {
        boolean negative = text.startsWith("-");
        String digits = negative || text.startsWith("+") ? text.substring(1) : text;
        BigInteger value = digits.startsWith("0x") || digits.startsWith("0X")
                ? new BigInteger(digits.substring(2), 16) : new BigInteger(digits);
        return negative ? value.negate() : value;
    }
}
