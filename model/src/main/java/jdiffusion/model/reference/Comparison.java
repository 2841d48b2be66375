package jdiffusion.model.reference;

import jdiffusion.tensor.Shape;

/**
 * How far one computed tensor is from its reference.
 *
 * @param component folder, as the user named it
 * @param tensor    name in {@code io.safetensors}
 * @param maxError  largest absolute difference
 * @param rmsError  root mean square of the differences, relative to that of the reference; of a schedule's numbers
 *                  the largest relative difference
 * @param tolerance what rmsError may be
 * @param within    for pictures: share of values within 1/255 of the reference, which may be enough instead; else NaN
 */
public record Comparison(String component, String tensor, Shape shape, double maxError, double rmsError,
                         double tolerance, double within) {
    /** Share of a picture's values that must be within one step of 8-bit colour. */
    private static final double PICTURE_SHARE = 0.999;
    private static final double COLOUR_STEP = 1 / 255.0;
    private static final double FLOAT_STEP = Math.ulp(1f);

    /** Compares equally many values; a NaN on either side is an infinite error. */
    public static Comparison of(String component, String tensor, Shape shape, float[] actual, float[] expected,
                                double tolerance) {
        double max = 0;
        double difference = 0;
        double reference = 0;
        for (int i = 0; i < expected.length; i++) {
            double d = Math.abs((double) actual[i] - expected[i]);
            if (d != d) {
                d = Double.POSITIVE_INFINITY;
            }
            max = Math.max(max, d);
            difference += d * d;
            reference += (double) expected[i] * expected[i];
        }
        double rms = difference == 0 ? 0 : Math.sqrt(difference / reference);
        return new Comparison(component, tensor, shape, max, rms, tolerance, Double.NaN);
    }

    /**
     * Compares numbers of a schedule one by one.
     *
     * @param tolerance what the difference of each may be, relative to its reference
     * @param least     what a reference counts as at least
     */
    public static Comparison ofNumbers(String component, String name, float[] actual, float[] expected,
                                       double tolerance, double least) {
        boolean same = actual.length == expected.length;
        double max = same ? 0 : Double.POSITIVE_INFINITY;
        double relative = max;
        for (int i = 0; same && i < expected.length; i++) {
            double d = Math.abs((double) actual[i] - expected[i]);
            if (d != 0) {
                max = Math.max(max, d);
                relative = Math.max(relative, d / Math.max(least, Math.abs(expected[i])));
            }
        }
        return new Comparison(component, name, Shape.of(actual.length), max, relative, tolerance, Double.NaN);
    }

    /** Compares numbers that must be equal, but for one that may be one float step off. */
    public static Comparison ofBits(String component, String name, float[] actual, float[] expected) {
        int off = 0;
        for (int i = 0; i < Math.min(actual.length, expected.length); i++) {
            off += actual[i] == expected[i] ? 0 : 1;
        }
        return ofNumbers(component, name, actual, expected, off > 1 ? 0 : FLOAT_STEP, 0);
    }

    /** Compares pictures in 0..1 by the share of values within 1/255. */
    static Comparison ofPicture(String component, String tensor, Shape shape, float[] actual, float[] expected,
                                double tolerance) {
        Comparison plain = of(component, tensor, shape, actual, expected, tolerance);
        int near = 0;
        for (int i = 0; i < expected.length; i++) {
            if (Math.abs(actual[i] - expected[i]) <= COLOUR_STEP) {
                near++;
            }
        }
        return new Comparison(component, tensor, shape, plain.maxError, plain.rmsError, tolerance,
                (double) near / expected.length);
    }

    public boolean passed() {
        return rmsError <= tolerance || within >= PICTURE_SHARE;
    }
}
