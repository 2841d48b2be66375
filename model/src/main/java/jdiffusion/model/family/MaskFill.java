package jdiffusion.model.family;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import jdiffusion.tensor.InputException;

/** What the masked part of a picture starts from. The order is that of AUTOMATIC1111's {@code inpainting_fill}. */
public enum MaskFill {
    /** The colours around it. */
    FILL("fill"),
    /** The picture. */
    ORIGINAL("original"),
    /** The colours around it, and in the latents the noise of the seed in place of a picture. */
    NOISE("latent noise"),
    /** The colours around it, and in the latents zeros. */
    NOTHING("latent nothing");

    private final String title;

    MaskFill(String title) {
        this.title = title;
    }

    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** AUTOMATIC1111's name for it. */
    public String title() {
        return title;
    }

    /** By either name, or by AUTOMATIC1111's number. */
    public static MaskFill of(String name) {
        return Arrays.stream(values()).filter(fill -> name.equalsIgnoreCase(fill.label())
                || name.equalsIgnoreCase(fill.title) || name.equals(Integer.toString(fill.ordinal()))).findFirst()
                .orElseThrow(() -> new InputException("the masked part cannot start from '" + InputException.shown(name)
                        + "'; use " + Arrays.stream(values()).map(MaskFill::label)
                        .collect(Collectors.joining(", "))));
    }
}
