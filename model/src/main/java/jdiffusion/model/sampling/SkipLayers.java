package jdiffusion.model.sampling;

import java.util.List;
import jdiffusion.tensor.InputException;

/**
 * Skip-layer guidance: for a part of the steps a third prediction, made with some blocks left out, is pushed away
 * from, {@code v += scale * (v_prompt - v_skipped)}.
 *
 * @param layers blocks left out; empty for no skip-layer guidance
 * @param scale  strength
 * @param start  share of the steps after which it begins
 * @param stop   share of the steps before which it ends
 */
public record SkipLayers(List<Integer> layers, float scale, float start, float stop) {
    public static final SkipLayers OFF = new SkipLayers(List.of(), 2.8f, 0.01f, 0.2f);

    public SkipLayers {
        layers = List.copyOf(layers);
        if (!(scale >= 0) || !Float.isFinite(scale)) {
            throw new InputException("the skip-layer guidance scale is " + scale + "; it must be 0 or more");
        }
        if (!(start >= 0 && start <= 1 && stop >= 0 && stop <= 1)) {
            throw new InputException("skip-layer guidance from " + start + " to " + stop
                    + " of the steps; both must lie between 0 and 1");
        }
    }

    /** Whether evaluation {@code i} of {@code n} is guided (0-based; both ends exclusive, as in diffusers). */
    public boolean active(int i, int n) {
        return !layers.isEmpty() && scale > 0 && i > n * start && i < n * stop;
    }
}
