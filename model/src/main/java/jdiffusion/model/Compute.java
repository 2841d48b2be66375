package jdiffusion.model;

import jdiffusion.kernels.Backend;
import jdiffusion.kernels.counting.CountingBackend;
import jdiffusion.tensor.Workspace;

/** Where a model runs: the device, its memory for temporaries, and who watches. */
public record Compute(Backend backend, Workspace workspace, Trace trace) {
    public Compute(Backend backend, Workspace workspace) {
        this(backend, workspace, Trace.NONE);
    }

    /** Whether nothing is computed, and only memory counted. */
    public boolean counting() {
        return backend instanceof CountingBackend;
    }

    public boolean traced() {
        return trace != Trace.NONE;
    }
}
