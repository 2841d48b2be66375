package jdiffusion.emulator.exec;

/** Arithmetic, logic and bit fields on 64-bit integers. */
final class LongOps {

    private LongOps() {}

    @Ptx({"add.u64", "add.s64"})
    static long add(long a, long b) {
        return a + b;
    }

    @Ptx({"sub.u64", "sub.s64"})
    static long sub(long a, long b) {
        return a - b;
    }

    @Ptx({"mul.lo.u64", "mul.lo.s64"})
    static long mul(long a, long b) {
        return a * b;
    }

    @Ptx("mul.hi.s64")
    static long mulHi(long a, long b) {
        return Math.multiplyHigh(a, b);
    }

    @Ptx("mul.hi.u64")
    static long mulHiUnsigned(long a, long b) {
        return Math.unsignedMultiplyHigh(a, b);
    }

    @Ptx({"mad.lo.u64", "mad.lo.s64"})
    static long mad(long a, long b, long c) {
        return a * b + c;
    }

    @Ptx("mad.hi.s64")
    static long madHi(long a, long b, long c) {
        return Math.multiplyHigh(a, b) + c;
    }

    @Ptx("mad.hi.u64")
    static long madHiUnsigned(long a, long b, long c) {
        return Math.unsignedMultiplyHigh(a, b) + c;
    }

    /** Division by zero gives all ones, as on the device. */
    @Ptx("div.s64")
    static long div(long a, long b) {
        return b == 0 ? -1 : a / b;
    }

    @Ptx("div.u64")
    static long divUnsigned(long a, long b) {
        return b == 0 ? -1 : Long.divideUnsigned(a, b);
    }

    @Ptx("rem.s64")
    static long rem(long a, long b) {
        return b == 0 ? a : a % b;
    }

    @Ptx("rem.u64")
    static long remUnsigned(long a, long b) {
        return b == 0 ? a : Long.remainderUnsigned(a, b);
    }

    @Ptx("abs.s64")
    static long abs(long a) {
        return a < 0 ? -a : a;
    }

    @Ptx("neg.s64")
    static long neg(long a) {
        return -a;
    }

    @Ptx("min.s64")
    static long min(long a, long b) {
        return Math.min(a, b);
    }

    @Ptx("max.s64")
    static long max(long a, long b) {
        return Math.max(a, b);
    }

    @Ptx("min.u64")
    static long minUnsigned(long a, long b) {
        return Long.compareUnsigned(a, b) < 0 ? a : b;
    }

    @Ptx("max.u64")
    static long maxUnsigned(long a, long b) {
        return Long.compareUnsigned(a, b) > 0 ? a : b;
    }

    @Ptx("sad.s64")
    static long sad(long a, long b, long c) {
        return c + (a < b ? b - a : a - b);
    }

    @Ptx("sad.u64")
    static long sadUnsigned(long a, long b, long c) {
        return c + (Long.compareUnsigned(a, b) < 0 ? b - a : a - b);
    }

    @Ptx("and.b64")
    static long and(long a, long b) {
        return a & b;
    }

    @Ptx("or.b64")
    static long or(long a, long b) {
        return a | b;
    }

    @Ptx("xor.b64")
    static long xor(long a, long b) {
        return a ^ b;
    }

    @Ptx("not.b64")
    static long not(long a) {
        return ~a;
    }

    @Ptx("cnot.b64")
    static long cnot(long a) {
        return a == 0 ? 1 : 0;
    }

    @Ptx(value = "shl.b64", operands = "b64 u32")
    static long shl(long a, int b) {
        return b < 0 || b > 63 ? 0 : a << b;
    }

    @Ptx(value = {"shr.u64", "shr.b64"}, operands = "u64 u32")
    static long shrUnsigned(long a, int b) {
        return b < 0 || b > 63 ? 0 : a >>> b;
    }

    @Ptx(value = "shr.s64", operands = "s64 u32")
    static long shr(long a, int b) {
        return a >> (b < 0 || b > 63 ? 63 : b);
    }

    @Ptx(value = "popc.b64", result = "u32")
    static int popc(long a) {
        return Long.bitCount(a);
    }

    @Ptx(value = "clz.b64", result = "u32")
    static int clz(long a) {
        return Long.numberOfLeadingZeros(a);
    }

    @Ptx("brev.b64")
    static long brev(long a) {
        return Long.reverse(a);
    }

    @Ptx(value = "bfind.s64", result = "u32")
    static int bfind(long a) {
        return bfindUnsigned(a < 0 ? ~a : a);
    }

    @Ptx(value = "bfind.u64", result = "u32")
    static int bfindUnsigned(long a) {
        return 63 - Long.numberOfLeadingZeros(a);
    }

    @Ptx(value = "bfind.shiftamt.u64", result = "u32")
    static int bfindShiftUnsigned(long a) {
        return a == 0 ? -1 : Long.numberOfLeadingZeros(a);
    }

    @Ptx(value = "bfind.shiftamt.s64", result = "u32")
    static int bfindShift(long a) {
        return bfindShiftUnsigned(a < 0 ? ~a : a);
    }

    @Ptx(value = "bfe.u64", operands = "u64 u32 u32")
    static long bfeUnsigned(long a, int position, int length) {
        int pos = position & 0xff;
        int len = length & 0xff;
        if (pos > 63) {
            return 0;
        }
        return a >>> pos & (len > 63 ? -1 : (1L << len) - 1);
    }

    @Ptx(value = "bfe.s64", operands = "s64 u32 u32")
    static long bfe(long a, int position, int length) {
        int pos = position & 0xff;
        int len = length & 0xff;
        if (len == 0) {
            return 0;
        }
        int top = Math.min(pos + len - 1, 63);
        long sign = a << 63 - top >> 63;
        if (pos > 63) {
            return sign;
        }
        int width = top - pos + 1;
        return width == 64 ? a : a >>> pos & (1L << width) - 1 | sign << width;
    }

    @Ptx(value = "bfi.b64", operands = "b64 b64 u32 u32")
    static long bfi(long a, long b, int position, int length) {
        int pos = position & 0xff;
        int len = length & 0xff;
        if (pos > 63 || len == 0) {
            return b;
        }
        long field = (len > 63 ? -1 : (1L << len) - 1) << pos;
        return b & ~field | a << pos & field;
    }
}
