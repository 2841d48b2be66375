package jdiffusion.model.family;

import jdiffusion.model.adapter.ControlKind;
import jdiffusion.model.image.Picture;
import jdiffusion.tensor.InputException;

/**
 * What a model's ControlNet is to read, and how much it counts.
 *
 * @param picture  prepared for its kind: blurred, edges in white on black, or depths with the near in white
 * @param kind     of the ControlNet
 * @param strength factor of what it adds
 * @param start    share of the evaluations after which it takes part, 0 to 1
 * @param stop     share up to which it takes part, 0 to 1
 */
public record Control(Picture picture, ControlKind kind, float strength, double start, double stop) {
    public Control {
        if (!Float.isFinite(strength)) {
            throw new InputException("the ControlNet's strength is " + strength + "; give a number");
        }
        if (!(start >= 0 && start <= stop && stop <= 1)) {
            throw new InputException("the ControlNet's part is from " + start + " to " + stop
                    + "; shares from 0 to 1 are needed, the first no greater than the second");
        }
    }

    /** The strength in an evaluation; 0 outside of the part in which the ControlNet is asked. */
    public float strengthAt(int evaluation, int evaluations) {
        boolean outside = (double) evaluation / evaluations < start || (evaluation + 1.0) / evaluations > stop;
        return outside ? 0 : strength;
    }

    /** The same with another picture. */
    public Control with(Picture other) {
        return new Control(other, kind, strength, start, stop);
    }

    /** Values for the VAE, [3, height, width]. */
    public float[] pixels(ControlTraits net) {
        return kind.prepare(picture.toModel(), net.scalesEdges());
    }
}
