package jdiffusion.model;

import jdiffusion.kernels.Backend;
import jdiffusion.kernels.counting.CountingBackend;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
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

    /** Shows an image [batch, h, w, c] as references have it, channels first. */
    public void seeImage(String name, String module, Tensor image) {
        if (traced()) {
            Shape s = image.shape();
            try (var _ = workspace.scope()) {
                Tensor first = workspace.f32(s.dim(0), s.dim(3), s.dim(1), s.dim(2));
                backend.channelsFirst(image, first);
                if (trace.see(name, module, first)) {
                    backend.channelsLast(first, image);
                }
            }
        }
    }
}
