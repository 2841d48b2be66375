package jdiffusion.emulator.exec;

/** Arithmetic on 16 and 32-bit integers. */
final class IntOps {

    private IntOps() {}

    @Ptx({"add.u16", "add.s16", "add.u32", "add.s32"})
    static int add(int a, int b) {
        return a + b;
    }

    @Ptx("add.sat.s32")
    static int addSaturated(int a, int b) {
        return Math.clamp((long) a + b, Integer.MIN_VALUE, Integer.MAX_VALUE);
    }

    @Ptx({"sub.u16", "sub.s16", "sub.u32", "sub.s32"})
    static int sub(int a, int b) {
        return a - b;
    }

    @Ptx("sub.sat.s32")
    static int subSaturated(int a, int b) {
        return Math.clamp((long) a - b, Integer.MIN_VALUE, Integer.MAX_VALUE);
    }

    @Ptx({"mul.lo.u16", "mul.lo.s16", "mul.lo.u32", "mul.lo.s32"})
    static int mul(int a, int b) {
        return a * b;
    }

    @Ptx({"mul.hi.u16", "mul.hi.s16"})
    static int mulHi16(int a, int b) {
        return a * b >> 16;
    }

    @Ptx("mul.hi.s32")
    static int mulHi(int a, int b) {
        return (int) ((long) a * b >> 32);
    }

    @Ptx("mul.hi.u32")
    static int mulHiUnsigned(int a, int b) {
        return (int) ((a & 0xffffffffL) * (b & 0xffffffffL) >>> 32);
    }

    @Ptx(value = "mul.wide.u16", result = "u32")
    static int mulWideUnsigned16(int a, int b) {
        return a * b;
    }

    @Ptx(value = "mul.wide.s16", result = "s32")
    static int mulWide16(int a, int b) {
        return a * b;
    }

    @Ptx(value = "mul.wide.s32", result = "s64")
    static long mulWide(int a, int b) {
        return (long) a * b;
    }

    @Ptx(value = "mul.wide.u32", result = "u64")
    static long mulWideUnsigned(int a, int b) {
        return (a & 0xffffffffL) * (b & 0xffffffffL);
    }

    @Ptx({"mad.lo.u16", "mad.lo.s16", "mad.lo.u32", "mad.lo.s32"})
    static int mad(int a, int b, int c) {
        return a * b + c;
    }

    @Ptx("mad.hi.s32")
    static int madHi(int a, int b, int c) {
        return mulHi(a, b) + c;
    }

    @Ptx("mad.hi.u32")
    static int madHiUnsigned(int a, int b, int c) {
        return mulHiUnsigned(a, b) + c;
    }

    @Ptx(value = "mad.wide.u16", operands = "u16 u16 u32", result = "u32")
    static int madWideUnsigned16(int a, int b, int c) {
        return a * b + c;
    }

    @Ptx(value = "mad.wide.s16", operands = "s16 s16 s32", result = "s32")
    static int madWide16(int a, int b, int c) {
        return a * b + c;
    }

    @Ptx(value = "mad.wide.s32", operands = "s32 s32 s64", result = "s64")
    static long madWide(int a, int b, long c) {
        return (long) a * b + c;
    }

    @Ptx(value = "mad.wide.u32", operands = "u32 u32 u64", result = "u64")
    static long madWideUnsigned(int a, int b, long c) {
        return mulWideUnsigned(a, b) + c;
    }

    @Ptx("mul24.lo.s32")
    static int mul24(int a, int b) {
        return (int) (signed24(a) * signed24(b));
    }

    @Ptx("mul24.hi.s32")
    static int mul24Hi(int a, int b) {
        return (int) (signed24(a) * signed24(b) >> 16);
    }

    @Ptx("mul24.lo.u32")
    static int mul24Unsigned(int a, int b) {
        return (int) ((a & 0xffffffL) * (b & 0xffffffL));
    }

    @Ptx("mul24.hi.u32")
    static int mul24HiUnsigned(int a, int b) {
        return (int) ((a & 0xffffffL) * (b & 0xffffffL) >> 16);
    }

    @Ptx("mad24.lo.s32")
    static int mad24(int a, int b, int c) {
        return mul24(a, b) + c;
    }

    @Ptx("mad24.lo.u32")
    static int mad24Unsigned(int a, int b, int c) {
        return mul24Unsigned(a, b) + c;
    }

    private static long signed24(int a) {
        return a << 8 >> 8;
    }

    /** Division by zero gives all ones, as on the device. */
    @Ptx({"div.s16", "div.s32"})
    static int div(int a, int b) {
        return b == 0 ? -1 : a / b;
    }

    @Ptx({"div.u16", "div.u32"})
    static int divUnsigned(int a, int b) {
        return b == 0 ? -1 : Integer.divideUnsigned(a, b);
    }

    @Ptx({"rem.s16", "rem.s32"})
    static int rem(int a, int b) {
        return b == 0 ? a : a % b;
    }

    @Ptx({"rem.u16", "rem.u32"})
    static int remUnsigned(int a, int b) {
        return b == 0 ? a : Integer.remainderUnsigned(a, b);
    }

    @Ptx({"abs.s16", "abs.s32"})
    static int abs(int a) {
        return a < 0 ? -a : a;
    }

    @Ptx({"neg.s16", "neg.s32"})
    static int neg(int a) {
        return -a;
    }

    @Ptx({"min.s16", "min.s32", "min.u16"})
    static int min(int a, int b) {
        return Math.min(a, b);
    }

    @Ptx({"max.s16", "max.s32", "max.u16"})
    static int max(int a, int b) {
        return Math.max(a, b);
    }

    @Ptx("min.u32")
    static int minUnsigned(int a, int b) {
        return Integer.compareUnsigned(a, b) < 0 ? a : b;
    }

    @Ptx("max.u32")
    static int maxUnsigned(int a, int b) {
        return Integer.compareUnsigned(a, b) > 0 ? a : b;
    }

    @Ptx(value = {"sad.s16", "sad.s32"})
    static int sad(int a, int b, int c) {
        return c + (a < b ? b - a : a - b);
    }

    @Ptx(value = {"sad.u16", "sad.u32"})
    static int sadUnsigned(int a, int b, int c) {
        return c + (Integer.compareUnsigned(a, b) < 0 ? b - a : a - b);
    }

    @Ptx(value = "dp4a.u32.u32", operands = "u32 u32 u32")
    static int dp4aUnsigned(int a, int b, int c) {
        int sum = c;
        for (int i = 0; i < 32; i += 8) {
            sum += (a >>> i & 0xff) * (b >>> i & 0xff);
        }
        return sum;
    }

    @Ptx(value = "dp4a.s32.s32", operands = "s32 s32 s32")
    static int dp4a(int a, int b, int c) {
        int sum = c;
        for (int i = 0; i < 32; i += 8) {
            sum += (byte) (a >> i) * (byte) (b >> i);
        }
        return sum;
    }

    @Ptx(value = "dp4a.u32.s32", operands = "u32 s32 s32", result = "s32")
    static int dp4aUnsignedSigned(int a, int b, int c) {
        int sum = c;
        for (int i = 0; i < 32; i += 8) {
            sum += (a >>> i & 0xff) * (byte) (b >> i);
        }
        return sum;
    }

    @Ptx(value = "dp4a.s32.u32", operands = "s32 u32 s32", result = "s32")
    static int dp4aSignedUnsigned(int a, int b, int c) {
        return dp4aUnsignedSigned(b, a, c);
    }
}
