package jdiffusion.model;

import jdiffusion.tensor.Tensor;

/**
 * Sees the intermediate tensors of a model by the names of the reference data ({@code block.3.image},
 * {@code hidden_states.0}). A tensor is only valid during the call.
 */
@FunctionalInterface
public interface Trace {
    /** Sees nothing; models skip even the making of names for it. */
    Trace NONE = (name, tensor) -> { };

    void see(String name, Tensor tensor);
}
