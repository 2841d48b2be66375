package jdiffusion.model.sites;

import jdiffusion.tensor.Tensor;

/** Tensors of another run, or any by the names of sites. */
public interface Source {
    /** Where they come from, for messages. */
    String origin();

    /** A float32 tensor by its name in a {@link Recording}, or by the name of its site alone; null when there is none. */
    Tensor find(String name);
}
