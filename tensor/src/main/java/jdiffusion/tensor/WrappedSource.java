package jdiffusion.tensor;

import java.util.List;
import java.util.Set;

/** Another source's tensors under the same names and shapes, some of which are changed. */
public abstract class WrappedSource implements TensorSource {
    /** The tensors as they were. */
    protected final TensorSource base;

    protected WrappedSource(TensorSource base) {
        this.base = base;
    }

    @Override
    public final String origin() {
        return base.origin();
    }

    @Override
    public final Set<String> names() {
        return base.names();
    }

    @Override
    public final Shape shape(String name) {
        return base.shape(name);
    }

    @Override
    public final String stored(String name) {
        return base.stored(name);
    }

    @Override
    public final List<String> faults() {
        return base.faults();
    }
}
