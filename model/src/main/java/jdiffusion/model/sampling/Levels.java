package jdiffusion.model.sampling;

import java.util.Arrays;
import java.util.function.DoubleUnaryOperator;
import jdiffusion.tensor.InputException;

/** Levels of a diffusion model that come from a name of the command line, or from the user's hand. */
final class Levels {
    private static final double CLOSE = 1e-5;

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

    /** Fails unless they fall, and are above 0. */
    static void check(float[] levels, double highest) {
        if (levels.length < 1 || levels.length > Sigmas.MAX_STEPS) {
            throw new InputException(levels.length + " noise levels are given; use 1 to " + Sigmas.MAX_STEPS);
        }
        for (int i = 0; i < levels.length; i++) {
            if (!(levels[i] > 0) || i > 0 && levels[i] >= levels[i - 1] || levels[i] > highest * (1 + CLOSE)) {
                throw new InputException("the noise levels are " + Arrays.toString(levels) + "; each must be above 0"
                        + " and below the one before it, the first " + (float) highest + " at most; the final 0 is not"
                        + " given");
            }
        }
    }
}
