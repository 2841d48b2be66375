package jdiffusion.model.mmdit;

import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.tensor.Weights;

/**
 * What runs in every step.
 *
 * @param control a ControlNet beside the denoiser, whose tensors are under {@link #CONTROL}; or null
 */
public record Denoiser(Mmdit mmdit, ControlNet control) {
    /** Before the names of a ControlNet's tensors, and the name of its configuration in the denoiser's. */
    public static final String CONTROL = "control_net";

    public static Denoiser load(Weights w, ConfigFile file) {
        Mmdit mmdit = Mmdit.read(w, file);
        ConfigFile part = file.part(CONTROL);
        ControlNet control = part == null ? null : ControlNet.load(w.at(CONTROL), part, mmdit.config());
        w.finish();
        return new Denoiser(mmdit, control);
    }

    /** Sizes of the ControlNet; null without. */
    public ControlNetConfig controlConfig() {
        return control == null ? null : control.config();
    }
}
