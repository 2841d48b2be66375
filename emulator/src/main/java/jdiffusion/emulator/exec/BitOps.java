package jdiffusion.emulator.exec;

/** Logic, shifts and bit fields on predicates and on 16 and 32-bit words. */
final class BitOps {

    private BitOps() {}

    @Ptx({"and.b16", "and.b32", "and.pred"})
    static int and(int a, int b) {
        return a & b;
    }

    @Ptx({"or.b16", "or.b32", "or.pred"})
    static int or(int a, int b) {
        return a | b;
    }

    @Ptx({"xor.b16", "xor.b32", "xor.pred"})
    static int xor(int a, int b) {
        return a ^ b;
    }

    @Ptx({"not.b16", "not.b32"})
    static int not(int a) {
        return ~a;
    }

    @Ptx("not.pred")
    static int notPredicate(int a) {
        return a ^ 1;
    }

    @Ptx({"cnot.b16", "cnot.b32"})
    static int cnot(int a) {
        return a == 0 ? 1 : 0;
    }

    @Ptx(value = {"shl.b16"}, operands = "b16 u32")
    static int shl16(int a, int b) {
        return shl(a, b);
    }

    @Ptx(value = "shl.b32", operands = "b32 u32")
    static int shl(int a, int b) {
        return b < 0 || b > 31 ? 0 : a << b;
    }

    @Ptx(value = {"shr.u16", "shr.b16"}, operands = "u16 u32")
    static int shrUnsigned16(int a, int b) {
        return shrUnsigned(a, b);
    }

    @Ptx(value = {"shr.u32", "shr.b32"}, operands = "u32 u32")
    static int shrUnsigned(int a, int b) {
        return b < 0 || b > 31 ? 0 : a >>> b;
    }

    @Ptx(value = "shr.s16", operands = "s16 u32")
    static int shr16(int a, int b) {
        return shr(a, b);
    }

    @Ptx(value = "shr.s32", operands = "s32 u32")
    static int shr(int a, int b) {
        return a >> (b < 0 || b > 31 ? 31 : b);
    }

    @Ptx(value = "popc.b32", result = "u32")
    static int popc(int a) {
        return Integer.bitCount(a);
    }

    @Ptx(value = "clz.b32", result = "u32")
    static int clz(int a) {
        return Integer.numberOfLeadingZeros(a);
    }

    @Ptx("brev.b32")
    static int brev(int a) {
        return Integer.reverse(a);
    }

    /** Position of the highest bit that differs from the sign, or -1. */
    @Ptx(value = "bfind.s32", result = "u32")
    static int bfind(int a) {
        return bfindUnsigned(a < 0 ? ~a : a);
    }

    @Ptx(value = {"bfind.u32", "bfind.b32"}, result = "u32")
    static int bfindUnsigned(int a) {
        return 31 - Integer.numberOfLeadingZeros(a);
    }

    @Ptx(value = "bfind.shiftamt.s32", result = "u32")
    static int bfindShift(int a) {
        return bfindShiftUnsigned(a < 0 ? ~a : a);
    }

    @Ptx(value = "bfind.shiftamt.u32", result = "u32")
    static int bfindShiftUnsigned(int a) {
        return a == 0 ? -1 : Integer.numberOfLeadingZeros(a);
    }

    @Ptx(value = "bfe.u32", operands = "u32 u32 u32")
    static int bfeUnsigned(int a, int position, int length) {
        return (int) LongOps.bfeUnsigned(a & 0xffffffffL, position, length);
    }

    /** Bits past the word's end are copies of the sign of the field (or of the word, where the field passes it). */
    @Ptx(value = "bfe.s32", operands = "s32 u32 u32")
    static int bfe(int a, int position, int length) {
        int pos = position & 0xff;
        int len = length & 0xff;
        if (len == 0) {
            return 0;
        }
        int top = Math.min(pos + len - 1, 31);
        int sign = a << 31 - top >> 31;
        if (pos > 31) {
            return sign;
        }
        int width = top - pos + 1;
        return width == 32 ? a : a >>> pos & (1 << width) - 1 | sign << width;
    }

    @Ptx(value = "bfi.b32", operands = "b32 b32 u32 u32")
    static int bfi(int a, int b, int position, int length) {
        int pos = position & 0xff;
        int len = length & 0xff;
        if (pos > 31 || len == 0) {
            return b;
        }
        int field = (len > 31 ? -1 : (1 << len) - 1) << pos;
        return b & ~field | a << pos & field;
    }

    @Ptx(value = "lop3.b32", operands = "b32 b32 b32 u32")
    static int lop3(int a, int b, int c, int table) {
        int result = 0;
        for (int i = 0; i < 8; i++) {
            if ((table >>> i & 1) != 0) {
                result |= ((i & 4) != 0 ? a : ~a) & ((i & 2) != 0 ? b : ~b) & ((i & 1) != 0 ? c : ~c);
            }
        }
        return result;
    }

    @Ptx(value = "shf.l.wrap.b32", operands = "b32 b32 u32")
    static int shfLeftWrap(int low, int high, int count) {
        return shfLeftClamp(low, high, count & 31);
    }

    @Ptx(value = "shf.l.clamp.b32", operands = "b32 b32 u32")
    static int shfLeftClamp(int low, int high, int count) {
        int n = Integer.compareUnsigned(count, 32) > 0 ? 32 : count;
        return (int) (((long) high << 32 | low & 0xffffffffL) << n >>> 32);
    }

    @Ptx(value = "shf.r.wrap.b32", operands = "b32 b32 u32")
    static int shfRightWrap(int low, int high, int count) {
        return shfRightClamp(low, high, count & 31);
    }

    @Ptx(value = "shf.r.clamp.b32", operands = "b32 b32 u32")
    static int shfRightClamp(int low, int high, int count) {
        int n = Integer.compareUnsigned(count, 32) > 0 ? 32 : count;
        return (int) (((long) high << 32 | low & 0xffffffffL) >>> n);
    }

    /** Picks four of the eight bytes of b:a; bit 3 of a selector nibble replicates the byte's sign. */
    @Ptx(value = "prmt.b32", operands = "b32 b32 b32")
    static int prmt(int a, int b, int selector) {
        long bytes = (long) b << 32 | a & 0xffffffffL;
        int result = 0;
        for (int i = 0; i < 4; i++) {
            int nibble = selector >>> 4 * i & 15;
            int value = (byte) (bytes >>> 8 * (nibble & 7));
            result |= ((nibble & 8) != 0 ? value >> 31 & 0xff : value & 0xff) << 8 * i;
        }
        return result;
    }

    @Ptx(value = "prmt.b32.f4e", operands = "b32 b32 b32", result = "b32")
    static int prmtForward(int a, int b, int selector) {
        int n = selector & 3;
        return prmt(a, b, n | n + 1 << 4 | n + 2 << 8 | n + 3 << 12);
    }

    @Ptx(value = "prmt.b32.b4e", operands = "b32 b32 b32", result = "b32")
    static int prmtBackward(int a, int b, int selector) {
        int n = selector & 3;
        return prmt(a, b, n | (n + 7 & 7) << 4 | (n + 6 & 7) << 8 | (n + 5 & 7) << 12);
    }

    @Ptx(value = "prmt.b32.rc8", operands = "b32 b32 b32", result = "b32")
    static int prmtReplicate8(int a, int b, int selector) {
        return prmt(a, b, (selector & 3) * 0x1111);
    }

    @Ptx(value = "prmt.b32.rc16", operands = "b32 b32 b32", result = "b32")
    static int prmtReplicate16(int a, int b, int selector) {
        return prmt(a, b, (selector & 1) != 0 ? 0x3232 : 0x1010);
    }

}
