package jdiffusion.model.sampling;

import java.util.List;
import java.util.function.DoubleUnaryOperator;
import jdiffusion.tensor.InputException;

/** Levels of a diffusion model that come from a name of the command line, or from the user's hand. */
final class Levels {
    private static final double CLOSE = 1e-5;
    /** How far published levels exceed the highest because they are rounded, such as 14.615 for 14.6146. */
    private static final double ROUNDED = 1e-3;

    private Levels() {
    }

    /**
     * With the final 0.
     *
     * @param highest of training: from there on, noise is as strong as image and noise together, as in ComfyUI
     * @param time    the network's time at a level
     */
    static Sigmas of(double[] levels, double highest, DoubleUnaryOperator time) {
        float[] sigmas = new float[levels.length + 1];
        float[] times = new float[levels.length];
        for (int i = 0; i < times.length; i++) {
            sigmas[i] = (float) levels[i];
            times[i] = (float) time.applyAsDouble(sigmas[i]);
        }
        double start = sigmas[0];
        boolean whole = start > highest * (1 - CLOSE);
        return Sigmas.of(sigmas, times, whole ? Math.sqrt(1 + start * start) : start, time);
    }

    /**
     * Levels by hand as those of this range.
     *
     * @throws InputException if they do not fall or lie outside
     */
    static Sigmas byHand(List<Float> levels, double highest, DoubleUnaryOperator time) {
        check(levels, highest * (1 + ROUNDED));
        return of(levels.stream().mapToDouble(Float::doubleValue).toArray(), highest, time);
    }

    /** Fails unless they fall, are above 0 and at most as high as that. */
    static void check(List<Float> levels, double highest) {
        if (levels.isEmpty() || levels.size() > Sigmas.MAX_STEPS) {
            throw new InputException(levels.size() + " noise levels are given; use 1 to " + Sigmas.MAX_STEPS);
        }
        for (int i = 0; i < levels.size(); i++) {
            float level = levels.get(i);
            if (!(level > 0 && Float.isFinite(level))) {
                throw new InputException("noise level " + (i + 1) + " is " + level
                        + "; all but a last one of 0 must be above 0");
            }
            if (i > 0 && level >= levels.get(i - 1)) {
                throw new InputException("noise level " + (i + 1) + " is " + level + " and the one before it "
                        + levels.get(i - 1) + "; each must be below the one before it");
            }
        }
        if (levels.getFirst() > highest) {
            throw new InputException("the first noise level is " + levels.getFirst()
                    + "; this model knows levels up to " + (float) highest);
        }
    }
}
