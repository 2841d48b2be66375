package jdiffusion.emulator.exec;

import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import jdiffusion.emulator.ptx.Type;

/** Atomic read-modify-write, lane after lane. Register arguments are slots; d is -1 when the old value is not kept. */
final class Atomics {
    private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();
    private static final VarHandle LONG = ValueLayout.JAVA_LONG.varHandle();
    static final int ADD = 0;
    static final int EXCH = 1;
    static final int CAS = 2;
    static final int AND = 3;
    static final int OR = 4;
    static final int XOR = 5;
    static final int MIN = 6;
    static final int MAX = 7;
    static final int MIN_UNSIGNED = 8;
    static final int MAX_UNSIGNED = 9;
    static final int ADD_FLOAT = 10;
    static final int INC = 11;
    static final int DEC = 12;
    /** Of one half, or of two in a word. */
    static final int ADD_F16 = 13;
    static final int ADD_BF16 = 14;
    /** These are for vectors and for reductions by bulk copies alone. */
    static final int MIN_F16 = 15;
    static final int MAX_F16 = 16;
    static final int MIN_BF16 = 17;
    static final int MAX_BF16 = 18;

    private Atomics() {}

    /** The operation of that name in PTX on numbers of a type; -1 for none. */
    static int operation(String name, Type type) {
        boolean unsigned = type == Type.U32 || type == Type.U64;
        return switch (name) {
            case "add" -> switch (type) {
                case F16, F16X2 -> ADD_F16;
                case BF16, BF16X2 -> ADD_BF16;
                default -> type.isFloat() ? ADD_FLOAT : ADD;
            };
            case "exch" -> EXCH;
            case "cas" -> CAS;
            case "and" -> AND;
            case "or" -> OR;
            case "xor" -> XOR;
            case "inc" -> INC;
            case "dec" -> DEC;
            case "min" -> switch (type) {
                case F16, F16X2 -> MIN_F16;
                case BF16, BF16X2 -> MIN_BF16;
                default -> unsigned ? MIN_UNSIGNED : MIN;
            };
            case "max" -> switch (type) {
                case F16, F16X2 -> MAX_F16;
                case BF16, BF16X2 -> MAX_BF16;
                default -> unsigned ? MAX_UNSIGNED : MAX;
            };
            default -> -1;
        };
    }

    static int apply(int operation, int old, int b, int c) {
        return switch (operation) {
            case ADD -> old + b;
            case EXCH -> b;
            case CAS -> old == b ? c : old;
            case AND -> old & b;
            case OR -> old | b;
            case XOR -> old ^ b;
            case MIN -> Math.min(old, b);
            case MAX -> Math.max(old, b);
            case MIN_UNSIGNED -> IntOps.minUnsigned(old, b);
            case MAX_UNSIGNED -> IntOps.maxUnsigned(old, b);
            case INC -> Integer.compareUnsigned(old, b) >= 0 ? 0 : old + 1;
            case DEC -> old == 0 || Integer.compareUnsigned(old, b) > 0 ? b : old - 1;
            case ADD_F16 -> HalfOps.addF16x2(old, b);
            case ADD_BF16 -> HalfOps.addBf16x2(old, b);
            case MIN_F16 -> HalfOps.minF16x2(old, b);
            case MAX_F16 -> HalfOps.maxF16x2(old, b);
            case MIN_BF16 -> HalfOps.minBf16x2(old, b);
            case MAX_BF16 -> HalfOps.maxBf16x2(old, b);
            default -> Float.floatToRawIntBits(Float.intBitsToFloat(old) + Float.intBitsToFloat(b));
        };
    }

    /** A word of which the 16 bits at {@code shift} are changed; the others stay. */
    private static int apply16(int operation, int word, int shift, int b, int c) {
        int old = word >>> shift & 0xffff;
        int value = switch (operation) {
            case EXCH -> b;
            case CAS -> old == (b & 0xffff) ? c : old;
            case ADD_F16 -> HalfOps.addF16(old, b & 0xffff);
            case MIN_F16 -> HalfOps.minF16(old, b & 0xffff);
            case MAX_F16 -> HalfOps.maxF16(old, b & 0xffff);
            case MIN_BF16 -> HalfOps.minBf16(old, b & 0xffff);
            case MAX_BF16 -> HalfOps.maxBf16(old, b & 0xffff);
            default -> HalfOps.addBf16(old, b & 0xffff);
        };
        return word & ~(0xffff << shift) | (value & 0xffff) << shift;
    }

    static long apply(int operation, long old, long b, long c) {
        return switch (operation) {
            case ADD -> old + b;
            case EXCH -> b;
            case CAS -> old == b ? c : old;
            case AND -> old & b;
            case OR -> old | b;
            case XOR -> old ^ b;
            case MIN -> Math.min(old, b);
            case MAX -> Math.max(old, b);
            case MIN_UNSIGNED -> LongOps.minUnsigned(old, b);
            case MAX_UNSIGNED -> LongOps.maxUnsigned(old, b);
            default -> Double.doubleToRawLongBits(Double.longBitsToDouble(old) + Double.longBitsToDouble(b));
        };
    }

    /** Changes a word of global memory, at an address that may be used; gives the one before. */
    static int update32(long at, int operation, int b, int c) {
        int old;
        do {
            old = (int) INT.getVolatile(GlobalMemory.all(), at);
        } while (!INT.compareAndSet(GlobalMemory.all(), at, old, apply(operation, old, b, c)));
        return old;
    }

    /** The same of 16 bits. */
    static int update16(long at, int operation, int b, int c) {
        int shift = 8 * (int) (at & 2);
        int old;
        do {
            old = (int) INT.getVolatile(GlobalMemory.all(), at & -4);
        } while (!INT.compareAndSet(GlobalMemory.all(), at & -4, old, apply16(operation, old, shift, b, c)));
        return old >>> shift & 0xffff;
    }

    /** The same of 64 bits. */
    static long update64(long at, int operation, long b, long c) {
        long old;
        do {
            old = (long) LONG.getVolatile(GlobalMemory.all(), at);
        } while (!LONG.compareAndSet(GlobalMemory.all(), at, old, apply(operation, old, b, c)));
        return old;
    }

    static void global32(Warp w, int mask, int site, int operation, int d, int b, int c) {
        GlobalMemory.check(w, mask, site, 4, true);
        if (operation == CAS) {
            w.yield();
        }
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) == 0) {
                continue;
            }
            int old = update32(w.address[l], operation, w.r[b + l], w.r[c + l]);
            if (d >= 0) {
                w.r[d + l] = old;
            }
        }
    }

    static void global16(Warp w, int mask, int site, int operation, int d, int b, int c) {
        GlobalMemory.check(w, mask, site, 2, true);
        if (operation == CAS) {
            w.yield();
        }
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) == 0) {
                continue;
            }
            int old = update16(w.address[l], operation, w.r[b + l], w.r[c + l]);
            if (d >= 0) {
                w.r[d + l] = old;
            }
        }
    }

    static void global64(Warp w, int mask, int site, int operation, int d, int b, int c) {
        GlobalMemory.check(w, mask, site, 8, true);
        if (operation == CAS) {
            w.yield();
        }
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) == 0) {
                continue;
            }
            long old = update64(w.address[l], operation, w.q[b + l], w.q[c + l]);
            if (d >= 0) {
                w.q[d + l] = old;
            }
        }
    }

    static void generic32(Warp w, int mask, int site, int operation, int d, int b, int c) {
        int shared = GenericMemory.inside(w, mask, GenericMemory.SHARED);
        if (shared != 0) {
            shared32(w, shared, site, operation, d, b, c);
        }
        if ((mask & ~shared) != 0) {
            global32(w, mask & ~shared, site, operation, d, b, c);
        }
    }

    static void generic16(Warp w, int mask, int site, int operation, int d, int b, int c) {
        int shared = GenericMemory.inside(w, mask, GenericMemory.SHARED);
        if (shared != 0) {
            shared16(w, shared, site, operation, d, b, c);
        }
        if ((mask & ~shared) != 0) {
            global16(w, mask & ~shared, site, operation, d, b, c);
        }
    }

    static void generic64(Warp w, int mask, int site, int operation, int d, int b, int c) {
        int shared = GenericMemory.inside(w, mask, GenericMemory.SHARED);
        if (shared != 0) {
            shared64(w, shared, site, operation, d, b, c);
        }
        if ((mask & ~shared) != 0) {
            global64(w, mask & ~shared, site, operation, d, b, c);
        }
    }

    static void shared32(Warp w, int mask, int site, int operation, int d, int b, int c) {
        shared(w, mask, site, 4);
        int[] words = w.target.shared().words;
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) == 0) {
                continue;
            }
            int at = (int) (w.address[l] >> 2);
            int old = words[at];
            words[at] = apply(operation, old, w.r[b + l], w.r[c + l]);
            if (d >= 0) {
                w.r[d + l] = old;
            }
        }
    }

    static void shared16(Warp w, int mask, int site, int operation, int d, int b, int c) {
        shared(w, mask, site, 2);
        int[] words = w.target.shared().words;
        for (int rest = mask; rest != 0; rest &= rest - 1) {
            int l = Integer.numberOfTrailingZeros(rest);
            int at = (int) (w.address[l] >> 2);
            int shift = 8 * (int) (w.address[l] & 2);
            int old = words[at];
            words[at] = apply16(operation, old, shift, w.r[b + l], w.r[c + l]);
            if (d >= 0) {
                w.r[d + l] = old >>> shift & 0xffff;
            }
        }
    }

    static void shared64(Warp w, int mask, int site, int operation, int d, int b, int c) {
        shared(w, mask, site, 8);
        int[] words = w.target.shared().words;
        for (int l = 0; l < Layout.LANES; l++) {
            if ((mask >>> l & 1) == 0) {
                continue;
            }
            int at = (int) (w.address[l] >> 2);
            long old = Words.word64(words, at);
            Words.word64(words, at, apply(operation, old, w.q[b + l], w.q[c + l]));
            if (d >= 0) {
                w.q[d + l] = old;
            }
        }
    }

    private static void shared(Warp w, int mask, int site, int bytes) {
        SharedMemory.checkBounds(w, w.address, mask, site, bytes, true);
        if (w.target.checker() != null) {
            w.target.checker().access(w, mask, site, bytes, SharedChecker.ATOMIC);
            if (w.kernel.hasFlags()) {
                w.target.checker().flags(w, mask, site, bytes, SharedChecker.ATOMIC);
            }
        }
        if (w.block.profile() != null) {
            w.block.profile().shared(site, w.address, mask, bytes);
        }
    }
}
