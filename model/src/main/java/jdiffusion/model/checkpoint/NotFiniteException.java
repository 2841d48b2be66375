package jdiffusion.model.checkpoint;

import jdiffusion.tensor.InputException;

/** A stage gave numbers that are infinite or none. */
public final class NotFiniteException extends InputException {
    private static final long serialVersionUID = 1L;

    NotFiniteException(String message) {
        super(message);
    }
}
