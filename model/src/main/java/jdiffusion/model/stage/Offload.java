package jdiffusion.model.stage;

import java.util.Locale;
import jdiffusion.tensor.InputException;

/** How much of a model is in a device's own memory at a time. On the CPU, which reads mapped files, all are alike. */
public enum Offload {
    /** All components that are used, from the first picture to the last. */
    NONE,
    /** One component at a time. */
    STAGES,
    /** Of one component at a time what is not in a block of layers, and two blocks. */
    SEQUENTIAL;

    /** The name on the command line: lower case. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    public static Offload of(String label) {
        for (Offload offload : values()) {
            if (offload.label().equals(label.toLowerCase(Locale.ROOT))) {
                return offload;
            }
        }
        throw new InputException("offload '" + label + "' is unknown; use none, stages or sequential");
    }
}
