package jdiffusion.model.flux;

import jdiffusion.kernels.Backend;
import jdiffusion.model.Trace;
import jdiffusion.model.nn.Attending;
import jdiffusion.model.nn.StepModulations;
import jdiffusion.tensor.Tensor;

/** A block of the transformer. */
sealed interface Block permits DoubleStreamBlock, SingleStreamBlock {
    // Parts of a modulation: of the attention, then of the MLP.
    int SHIFT = 0;
    int SCALE = 1;
    int GATE = 2;
    int MLP_SHIFT = 3;
    int MLP_SCALE = 4;
    int MLP_GATE = 5;

    /**
     * Updates the streams in place.
     *
     * @param trace     sees what is below this block
     * @param index     of this block among the layers of the modulations
     * @param attending how the layers attend
     */
    void apply(Backend backend, Trace trace, FluxBuffers a, StepModulations modulations, int index,
               Attending attending);

    /** LayerNorm without weights, then out = norm * (1 + scale) + shift. */
    static void modulated(Backend backend, Tensor x, Tensor scale, Tensor shift, Tensor out) {
        backend.layerNorm(x, null, null, scale, shift, FluxConfig.EPS, out);
    }
}
