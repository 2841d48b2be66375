package jdiffusion.model.adapter;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import jdiffusion.tensor.InputException;

/** What a ControlNet's picture shows. The order of the first three is Stability's {@code control_type}. */
public enum ControlKind {
    BLUR, CANNY, DEPTH, OTHER;

    static final int NUMBERED = 3;
    private static final float WHITE = 255;

    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    public static ControlKind of(String label) {
        for (ControlKind kind : values()) {
            if (kind.label().equals(label)) {
                return kind;
            }
        }
        throw new InputException("the kind of ControlNet is '" + InputException.shown(label) + "'; use "
                + Arrays.stream(values()).map(ControlKind::label).collect(Collectors.joining(", ")));
    }

    /**
     * What the VAE is given of a picture's values.
     *
     * @param image   values in -1 to 1, changed in place
     * @param asEdges whether edges are scaled as Stability's own ControlNets were trained: v * 255 / 2 + 0.5 for v in
     *                0 to 1
     */
    public float[] prepare(float[] image, boolean asEdges) {
        if (this == CANNY && asEdges) {
            for (int i = 0; i < image.length; i++) {
                image[i] = (image[i] + 1) / 2 * WHITE / 2 + 0.5f;
            }
        }
        return image;
    }
}
