package jdiffusion.emulator.exec;

/** Rounding modes of PTX and conversions that obey them. */
final class Rounding {
    static final int RN = 0;
    static final int RZ = 1;
    static final int RM = 2;
    static final int RP = 3;

    private Rounding() {}

    /** The exact sum of two doubles, rounded once to float32. */
    static float sum(double a, double b, int mode) {
        double s = a + b;
        return toFloat(s, sumError(a, b, s), mode);
    }

    /** What {@code s = a + b} lost, exactly; 0 when the sum is not finite. */
    static double sumError(double a, double b, double s) {
        if (Double.isInfinite(s) || s != s) {
            return 0;
        }
        double t = s - a;
        return (a - (s - t)) + (b - t);
    }

    /**
     * The sum rounded to odd: its last bit stands for everything that was lost, so that a second rounding to a
     * narrower format is right.
     */
    static double oddSum(double a, double b) {
        double s = a + b;
        double error = sumError(a, b, s);
        if (error == 0 || (Double.doubleToRawLongBits(s) & 1) != 0) {
            return s;
        }
        return error > 0 ? Math.nextUp(s) : Math.nextDown(s);
    }

    /** {@code s + error}, where error is far below s's last place, rounded to float32. */
    static float toFloat(double s, double error, int mode) {
        float f = (float) s;
        double difference = f == s ? error : s - f;
        boolean below = difference < 0;
        boolean above = difference > 0;
        return switch (mode) {
            case RM -> below ? Math.nextDown(f) : f;
            case RP -> above ? Math.nextUp(f) : f;
            case RZ -> s > 0 && below ? Math.nextDown(f) : s < 0 && above ? Math.nextUp(f) : f;
            default -> f;
        };
    }

    /** A double rounded to float32. */
    static float toFloat(double a, int mode) {
        return toFloat(a, 0, mode);
    }

    /** A double rounded to a whole number. */
    static double whole(double a, int mode) {
        return switch (mode) {
            case RZ -> a < 0 ? Math.ceil(a) : Math.floor(a);
            case RM -> Math.floor(a);
            case RP -> Math.ceil(a);
            default -> Math.rint(a);
        };
    }

    /** A signed 64-bit number rounded to float32. */
    static float toFloat(long a, int mode) {
        double high = a >> 32 << 32;
        return sum(high, a & 0xffffffffL, mode);
    }

    /** An unsigned 64-bit number rounded to float32. */
    static float toFloatUnsigned(long a, int mode) {
        return sum((a >>> 32) * 0x1p32, a & 0xffffffffL, mode);
    }

    /** A signed 64-bit number rounded to float64. */
    static double toDouble(long a, int mode) {
        return directed(a >> 32 << 32, a & 0xffffffffL, mode);
    }

    /** An unsigned 64-bit number rounded to float64. */
    static double toDoubleUnsigned(long a, int mode) {
        return directed((a >>> 32) * 0x1p32, a & 0xffffffffL, mode);
    }

    private static double directed(double a, double b, int mode) {
        double s = a + b;
        double error = sumError(a, b, s);
        boolean down = mode == RM || mode == RZ && s > 0;
        boolean up = mode == RP || mode == RZ && s < 0;
        return error < 0 && down ? Math.nextDown(s) : error > 0 && up ? Math.nextUp(s) : s;
    }
}
