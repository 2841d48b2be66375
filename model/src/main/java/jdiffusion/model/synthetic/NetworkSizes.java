package jdiffusion.model.synthetic;

import com.fasterxml.jackson.databind.node.ObjectNode;

/** The sizes of a network that is made up of random numbers. */
public interface NetworkSizes {
    /** Its config.json. */
    ObjectNode config();

    /** Adds its tensors under the names of the diffusers layout. */
    void tensors(TensorList list);
}
