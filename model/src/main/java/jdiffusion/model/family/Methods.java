package jdiffusion.model.family;

import jdiffusion.model.guidance.Guiders;

/**
 * What of a request only experiments change.
 *
 * @param guiders variants of guidance
 */
public record Methods(Guiders guiders) {
    public static final Methods NONE = new Methods(Guiders.NONE);

    public Methods withGuiders(Guiders value) {
        return new Methods(value);
    }
}
