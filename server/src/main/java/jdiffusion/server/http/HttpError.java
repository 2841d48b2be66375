package jdiffusion.server.http;

/** A request that is answered with an error; each interface puts it into its own form. */
public final class HttpError extends RuntimeException {
    public static final int BAD_REQUEST = 400;
    public static final int UNAUTHORIZED = 401;
    public static final int FORBIDDEN = 403;
    public static final int NOT_FOUND = 404;
    public static final int WRONG_METHOD = 405;
    public static final int TIMEOUT = 408;
    public static final int CONFLICT = 409;
    public static final int TOO_LARGE = 413;
    public static final int WRONG_TYPE = 415;
    public static final int UNPROCESSABLE = 422;
    public static final int TOO_MANY = 429;
    public static final int FAILED = 500;
    public static final int UNAVAILABLE = 503;

    private static final long serialVersionUID = 1L;

    private final int status;
    private final String code;
    private final String parameter;
    private final int retryAfter;

    private HttpError(int status, String code, String parameter, String message, int retryAfter) {
        super(message, null, false, false);
        this.status = status;
        this.code = code;
        this.parameter = parameter;
        this.retryAfter = retryAfter;
    }

    public HttpError(int status, String code, String message) {
        this(status, code, null, message, 0);
    }

    /** A field of the request that cannot be used. */
    public static HttpError badField(String name, String message) {
        return new HttpError(BAD_REQUEST, "invalid_value", name, message, 0);
    }

    /** The same, with a name for what is wrong. */
    public static HttpError badField(String name, String code, String message) {
        return new HttpError(BAD_REQUEST, code, name, message, 0);
    }

    /** The request as a whole cannot be used. */
    public static HttpError badRequest(String message) {
        return new HttpError(BAD_REQUEST, "invalid_request", message);
    }

    public static HttpError notFound(String message) {
        return new HttpError(NOT_FOUND, "not_found", message);
    }

    /** @param seconds after which the client may try again */
    public static HttpError later(int status, String code, String message, int seconds) {
        return new HttpError(status, code, null, message, seconds);
    }

    public int status() {
        return status;
    }

    /** A short name of the kind of error. */
    public String code() {
        return code;
    }

    /** The field that is wrong; null for none. */
    public String parameter() {
        return parameter;
    }

    /** Seconds after which to try again; 0 where that is not said. */
    public int retryAfter() {
        return retryAfter;
    }
}
