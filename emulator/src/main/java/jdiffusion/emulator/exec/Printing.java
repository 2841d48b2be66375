package jdiffusion.emulator.exec;

import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.IllegalFormatException;
import java.util.Locale;
import jdiffusion.emulator.DeviceFault.Kind;
import jdiffusion.emulator.DeviceMemory.Allocation;

/** {@code printf} and {@code assert} of kernels. */
final class Printing {
    private static final int LONGEST = 1 << 16;

    private Printing() {}

    /** {@code vprintf}: format and values are at the addresses that two parameters of the call hold. */
    static void print(Warp w, int mask, int site, int format, int values, int result) {
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) != 0) {
                String text = string(w, l, site, local(w, l, format, 8));
                w.block.print(formatted(w, l, site, text, local(w, l, values, 8)));
                if (result >= 0) {
                    w.local[l * w.localStride() + (result >> 2)] = 0;
                }
            }
        }
    }

    /** {@code __assertfail}: message, file, line, function. */
    static void fail(Warp w, int mask, int site, int message, int file, int line, int function) {
        if (mask == 0) {
            return;
        }
        int l = Integer.numberOfTrailingZeros(mask);
        throw w.block.fault(Kind.ASSERTION, site, w, l, "assertion `%s` failed at %s:%d in %s".formatted(
                string(w, l, site, local(w, l, message, 8)), string(w, l, site, local(w, l, file, 8)),
                local(w, l, line, 4), string(w, l, site, local(w, l, function, 8))));
    }

    private static long local(Warp w, int lane, long offset, int bytes) {
        long value = 0;
        for (int i = 0; i < bytes; i++) {
            int at = (int) offset + i;
            long word = w.local[lane * w.localStride() + (at >> 2)] >>> 8 * (at & 3) & 0xff;
            value |= word << 8 * i;
        }
        return value;
    }

    private static String string(Warp w, int lane, int site, long address) {
        byte[] bytes = new byte[LONGEST];
        int count = 0;
        while (count < LONGEST) {
            byte next = (byte) bits(w, lane, site, address + count, 1);
            if (next == 0) {
                break;
            }
            bytes[count++] = next;
        }
        return new String(bytes, 0, count, StandardCharsets.UTF_8);
    }

    /** Bytes at a generic address: local, shared or global. */
    private static long bits(Warp w, int lane, int site, long address, int bytes) {
        long window = address & -GenericMemory.WINDOW;
        if (window == GenericMemory.LOCAL) {
            long offset = address - window;
            if (offset < 0 || offset > w.kernel.localBytes() - bytes) {
                throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, lane, "printf reads at local address " + offset);
            }
            return local(w, lane, offset, bytes);
        }
        long value = 0;
        for (int i = 0; i < bytes; i++) {
            value |= (window == GenericMemory.SHARED ? sharedByte(w, lane, site, address - window + i)
                    : globalByte(w, lane, site, address + i)) << 8 * i;
        }
        return value;
    }

    private static long sharedByte(Warp w, int lane, int site, long at) {
        if (at < 0 || at >= w.block.shared().bytes) {
            throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, lane, "printf reads at shared address " + at);
        }
        return w.block.shared().words[(int) (at >> 2)] >>> 8 * (int) (at & 3) & 0xff;
    }

    private static long globalByte(Warp w, int lane, int site, long at) {
        Allocation found = w.block.memory().find(at);
        if (found == null && w.kernel.variables().memory().find(at) == null) {
            throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, lane,
                    "printf reads at global address 0x%x, where nothing is allocated".formatted(at));
        }
        return GlobalMemory.all().get(ValueLayout.JAVA_BYTE, at) & 0xffL;
    }

    /** C's format with values of 4 or 8 bytes, each at a multiple of its size. */
    private static String formatted(Warp w, int lane, int site, String format, long values) {
        var text = new StringBuilder();
        long at = 0;
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if (c != '%') {
                text.append(c);
                continue;
            }
            int end = i + 1;
            while (end < format.length() && "-+ #0123456789.*hlzjt".indexOf(format.charAt(end)) >= 0) {
                end++;
            }
            if (end == format.length() || format.charAt(end) == '%') {
                text.append('%');
                i = end;
                continue;
            }
            String flags = format.substring(i + 1, end);
            while (flags.contains("*")) {
                flags = flags.replaceFirst("\\*", Integer.toString((int) bits(w, lane, site, values + at, 4)));
                at += 4;
            }
            char kind = format.charAt(end);
            boolean wide = flags.contains("l") || flags.contains("z") || flags.contains("j") || flags.contains("t")
                    || "fFeEgGaAsp".indexOf(kind) >= 0;
            int bytes = wide ? 8 : 4;
            at = at + bytes - 1 & -bytes;
            long bits = bits(w, lane, site, values + at, bytes);
            at += bytes;
            text.append(one(flags.replaceAll("[hlzjt]", ""), kind, bits, wide, w, lane, site));
            i = end;
        }
        return text.toString();
    }

    private static String one(String flags, char kind, long bits, boolean wide, Warp w, int lane, int site) {
        Object value = switch (kind) {
            case 'd', 'i' -> wide ? bits : (long) (int) bits;
            case 'u' -> new java.math.BigInteger(Long.toUnsignedString(bits));
            case 'x', 'X', 'o' -> bits;
            case 'p' -> "0x" + Long.toHexString(bits);
            case 'c' -> (char) (bits & 0xff);
            case 's' -> string(w, lane, site, bits);
            default -> Double.longBitsToDouble(bits);
        };
        char letter = switch (kind) {
            case 'i', 'u' -> 'd';
            case 'F' -> 'f';
            case 'p' -> 's';
            default -> kind;
        };
        if (value instanceof Double d && (letter == 'g' || letter == 'G')) {
            return general(flags, d);
        }
        try {
            return String.format(Locale.ROOT, "%" + flags + letter, value);
        } catch (IllegalFormatException e) {
            return "%" + flags + kind;
        }
    }

    /** C's %g: the shorter of %e and %f, without zeros at the end. */
    private static String general(String flags, double value) {
        int dot = flags.indexOf('.');
        int digits = dot < 0 ? 6 : dot + 1 == flags.length() ? 0 : Integer.parseInt(flags.substring(dot + 1));
        digits = Math.max(1, digits);
        String text;
        if (value == 0 || Double.isNaN(value) || Double.isInfinite(value)) {
            text = value == 0 ? "0" : Double.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        } else {
            String scientific = String.format(Locale.ROOT, "%." + (digits - 1) + "e", value);
            int exponent = Integer.parseInt(scientific.substring(scientific.indexOf('e') + 1));
            text = exponent < -4 || exponent >= digits
                    ? trimmed(scientific.substring(0, scientific.indexOf('e')))
                            + scientific.substring(scientific.indexOf('e'))
                    : trimmed(String.format(Locale.ROOT, "%." + (digits - 1 - exponent) + "f", value));
        }
        String width = dot < 0 ? flags : flags.substring(0, dot);
        return width.matches("-?[1-9]\\d*") ? String.format("%" + width + "s", text) : text;
    }

    private static String trimmed(String number) {
        return number.contains(".") ? number.replaceFirst("\\.?0+$", "") : number;
    }
}
