package jdiffusion.emulator.exec;

/** Arithmetic on float64, rounded to nearest. */
final class DoubleOps {

    private DoubleOps() {}

    /** Clamped to [0, 1], NaN becoming +0. */
    static double saturate(double a) {
        return a > 0 ? Math.min(a, 1) : 0;
    }

    @Ptx("add.f64")
    static double add(double a, double b) {
        return a + b;
    }

    @Ptx("sub.f64")
    static double sub(double a, double b) {
        return a - b;
    }

    @Ptx("mul.f64")
    static double mul(double a, double b) {
        return a * b;
    }

    @Ptx({"fma.f64", "mad.f64"})
    static double fma(double a, double b, double c) {
        return Math.fma(a, b, c);
    }

    @Ptx("div.f64")
    static double div(double a, double b) {
        return a / b;
    }

    @Ptx("rcp.f64")
    static double rcp(double a) {
        return 1 / a;
    }

    @Ptx("sqrt.f64")
    static double sqrt(double a) {
        return Math.sqrt(a);
    }

    @Ptx("rsqrt.f64")
    static double rsqrt(double a) {
        return 1 / Math.sqrt(a);
    }

    @Ptx("min.f64")
    static double min(double a, double b) {
        return a != a ? b : b != b ? a : Math.min(a, b);
    }

    @Ptx("max.f64")
    static double max(double a, double b) {
        return a != a ? b : b != b ? a : Math.max(a, b);
    }

    @Ptx("abs.f64")
    static double abs(double a) {
        return Math.abs(a);
    }

    @Ptx("neg.f64")
    static double neg(double a) {
        return -a;
    }

    /** The magnitude of b with the sign of a. */
    @Ptx("copysign.f64")
    static double copysign(double a, double b) {
        return Double.longBitsToDouble(Double.doubleToRawLongBits(a) & Long.MIN_VALUE
                | Double.doubleToRawLongBits(b) & Long.MAX_VALUE);
    }

    @Ptx(value = "testp.infinite.f64", result = "pred")
    static int infinite(double a) {
        return Double.isInfinite(a) ? 1 : 0;
    }
}
