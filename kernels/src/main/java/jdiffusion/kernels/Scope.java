package jdiffusion.kernels;

/**
 * A stretch of operations that has a name, such as a block of layers, for backends that measure. Scopes nest; close
 * them in reverse order (try-with-resources does).
 */
public interface Scope extends AutoCloseable {
    /** Nobody measures. */
    Scope NONE = () -> { };

    /** The name of the rounds of a loop over the same layers, which a summary adds up. */
    String STEP = "step";

    /** The index of what there is once. */
    int ONCE = -1;

    @Override
    void close();
}
