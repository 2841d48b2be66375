package jdiffusion.model.family;

import jdiffusion.tensor.InputException;

/**
 * Guidance by a network that was distilled from predictions with and without a prompt, and is told their scale (Meng
 * et al., "On Distillation of Guided Diffusion Models", 2023).
 *
 * @param scale         what it is told; NaN for a network that is told nothing
 * @param needsNegative whether classifier-free guidance takes place only where a negative prompt is given, empty or
 *                      not, since the network needs none
 */
public record EmbeddedGuidance(float scale, boolean needsNegative) {
    /** Of networks that were not distilled. */
    public static final EmbeddedGuidance NONE = new EmbeddedGuidance(Float.NaN, false);
    /** Beyond what any such network was trained with. */
    private static final float MOST = 1000;

    public EmbeddedGuidance {
        if (scale < 0 || scale > MOST) {
            throw new InputException("the embedded guidance is " + scale + "; use 0 to " + MOST + " (3.5 is usual)");
        }
    }

    /** Whether the network is told a scale. */
    public boolean isThere() {
        return !Float.isNaN(scale);
    }
}
