package jdiffusion.model.request;

import java.nio.file.Path;
import jdiffusion.model.adapter.ControlKind;
import jdiffusion.tensor.InputException;

/**
 * The ControlNet that a user chooses; null where nothing is said.
 *
 * @param net      its file or folder; null for none
 * @param picture  file of the picture that it reads
 * @param kind     null for what its file or name says
 * @param strength how much it counts
 * @param start    share of the steps at which it starts
 * @param end      share of the steps at which it ends
 */
public record ControlChoice(Path net, Path picture, ControlKind kind, Float strength, Double start, Double end) {
    public static final ControlChoice NONE = new ControlChoice(null, null, null, null, null, null);

    /** Fails when one of both is missing. */
    void check() {
        if (net == null && !equals(NONE)) {
            throw new InputException("--control-image and its settings need a ControlNet; give --control-net");
        }
        if (net != null && picture == null) {
            throw new InputException("--control-net needs a picture to read; give --control-image");
        }
    }
}
