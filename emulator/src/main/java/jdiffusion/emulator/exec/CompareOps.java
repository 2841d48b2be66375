package jdiffusion.emulator.exec;

/** Comparisons: 1 when true, 0 when not. */
final class CompareOps {

    private CompareOps() {}

    private static int bit(boolean value) {
        return value ? 1 : 0;
    }

    @Ptx({"setp.eq.s16", "setp.eq.u16", "setp.eq.b16", "setp.eq.s32", "setp.eq.u32", "setp.eq.b32"})
    static int eq(int a, int b) {
        return bit(a == b);
    }

    @Ptx({"setp.ne.s16", "setp.ne.u16", "setp.ne.b16", "setp.ne.s32", "setp.ne.u32", "setp.ne.b32"})
    static int ne(int a, int b) {
        return bit(a != b);
    }

    @Ptx({"setp.lt.s16", "setp.lt.s32", "setp.lt.u16"})
    static int lt(int a, int b) {
        return bit(a < b);
    }

    @Ptx({"setp.le.s16", "setp.le.s32", "setp.le.u16"})
    static int le(int a, int b) {
        return bit(a <= b);
    }

    @Ptx({"setp.gt.s16", "setp.gt.s32", "setp.gt.u16"})
    static int gt(int a, int b) {
        return bit(a > b);
    }

    @Ptx({"setp.ge.s16", "setp.ge.s32", "setp.ge.u16"})
    static int ge(int a, int b) {
        return bit(a >= b);
    }

    @Ptx({"setp.lt.u32", "setp.lo.u32"})
    static int lo(int a, int b) {
        return bit(Integer.compareUnsigned(a, b) < 0);
    }

    @Ptx({"setp.le.u32", "setp.ls.u32"})
    static int ls(int a, int b) {
        return bit(Integer.compareUnsigned(a, b) <= 0);
    }

    @Ptx({"setp.gt.u32", "setp.hi.u32"})
    static int hi(int a, int b) {
        return bit(Integer.compareUnsigned(a, b) > 0);
    }

    @Ptx({"setp.ge.u32", "setp.hs.u32"})
    static int hs(int a, int b) {
        return bit(Integer.compareUnsigned(a, b) >= 0);
    }

    @Ptx({"setp.eq.s64", "setp.eq.u64", "setp.eq.b64"})
    static int eq(long a, long b) {
        return bit(a == b);
    }

    @Ptx({"setp.ne.s64", "setp.ne.u64", "setp.ne.b64"})
    static int ne(long a, long b) {
        return bit(a != b);
    }

    @Ptx("setp.lt.s64")
    static int lt(long a, long b) {
        return bit(a < b);
    }

    @Ptx("setp.le.s64")
    static int le(long a, long b) {
        return bit(a <= b);
    }

    @Ptx("setp.gt.s64")
    static int gt(long a, long b) {
        return bit(a > b);
    }

    @Ptx("setp.ge.s64")
    static int ge(long a, long b) {
        return bit(a >= b);
    }

    @Ptx({"setp.lt.u64", "setp.lo.u64"})
    static int lo(long a, long b) {
        return bit(Long.compareUnsigned(a, b) < 0);
    }

    @Ptx({"setp.le.u64", "setp.ls.u64"})
    static int ls(long a, long b) {
        return bit(Long.compareUnsigned(a, b) <= 0);
    }

    @Ptx({"setp.gt.u64", "setp.hi.u64"})
    static int hi(long a, long b) {
        return bit(Long.compareUnsigned(a, b) > 0);
    }

    @Ptx({"setp.ge.u64", "setp.hs.u64"})
    static int hs(long a, long b) {
        return bit(Long.compareUnsigned(a, b) >= 0);
    }

    @Ptx({"setp.eq.f32", "setp.eq.f64"})
    static int eq(double a, double b) {
        return bit(a == b);
    }

    @Ptx({"setp.ne.f32", "setp.ne.f64"})
    static int ne(double a, double b) {
        return bit(a < b || a > b);
    }

    @Ptx({"setp.lt.f32", "setp.lt.f64"})
    static int lt(double a, double b) {
        return bit(a < b);
    }

    @Ptx({"setp.le.f32", "setp.le.f64"})
    static int le(double a, double b) {
        return bit(a <= b);
    }

    @Ptx({"setp.gt.f32", "setp.gt.f64"})
    static int gt(double a, double b) {
        return bit(a > b);
    }

    @Ptx({"setp.ge.f32", "setp.ge.f64"})
    static int ge(double a, double b) {
        return bit(a >= b);
    }

    @Ptx({"setp.equ.f32", "setp.equ.f64"})
    static int equ(double a, double b) {
        return bit(!(a < b || a > b));
    }

    @Ptx({"setp.neu.f32", "setp.neu.f64"})
    static int neu(double a, double b) {
        return bit(a != b);
    }

    @Ptx({"setp.ltu.f32", "setp.ltu.f64"})
    static int ltu(double a, double b) {
        return bit(!(a >= b));
    }

    @Ptx({"setp.leu.f32", "setp.leu.f64"})
    static int leu(double a, double b) {
        return bit(!(a > b));
    }

    @Ptx({"setp.gtu.f32", "setp.gtu.f64"})
    static int gtu(double a, double b) {
        return bit(!(a <= b));
    }

    @Ptx({"setp.geu.f32", "setp.geu.f64"})
    static int geu(double a, double b) {
        return bit(!(a < b));
    }

    @Ptx({"setp.num.f32", "setp.num.f64"})
    static int num(double a, double b) {
        return bit(a == a && b == b);
    }

    @Ptx({"setp.nan.f32", "setp.nan.f64"})
    static int nan(double a, double b) {
        return bit(a != a || b != b);
    }
}
