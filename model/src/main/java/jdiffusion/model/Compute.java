package jdiffusion.model;

import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Workspace;

/** Where a model runs: the device, its memory for temporaries, and who watches. */
public record Compute(Backend backend, Workspace workspace, Trace trace) {
    public Compute(Backend backend, Workspace workspace) {
        this(backend, workspace, Trace.NONE);
    }

    public boolean traced() {
        return trace != Trace.NONE;
    }
}
