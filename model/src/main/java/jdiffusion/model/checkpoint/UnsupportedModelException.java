package jdiffusion.model.checkpoint;

import jdiffusion.tensor.InputException;

/** A sound model in a layout or number format that this version does not read. */
public final class UnsupportedModelException extends InputException {
    private static final long serialVersionUID = 1L;

    public UnsupportedModelException(String message) {
        super(message);
    }
}
