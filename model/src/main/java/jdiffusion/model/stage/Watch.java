package jdiffusion.model.stage;

import jdiffusion.kernels.Backend;
import jdiffusion.model.Trace;
import jdiffusion.model.checkpoint.Component;

/** Who looks at the components of a model while they run. */
@FunctionalInterface
public interface Watch {
    /** Looks at none. */
    Watch NONE = (component, backend) -> Trace.NONE;

    /**
     * What sees a component's run, which begins.
     *
     * @param backend that it runs on; one that only counts memory has nothing in its tensors
     */
    Trace of(Component component, Backend backend);
}
