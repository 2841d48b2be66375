package jdiffusion.model.request;

import jdiffusion.tensor.InputException;

/** A field of a client's request that cannot be used. */
public final class FieldException extends InputException {
    private static final long serialVersionUID = 1L;

    private final String field;
    private final String code;

    public FieldException(String field, String code, String message) {
        super(message);
        this.field = field;
        this.code = code;
    }

    public String field() {
        return field;
    }

    /** A short name of what is wrong. */
    public String code() {
        return code;
    }
}
