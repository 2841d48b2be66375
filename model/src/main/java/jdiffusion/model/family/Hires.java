package jdiffusion.model.family;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import jdiffusion.tensor.InputException;

/**
 * A second pass at a larger size: what the first one drew is enlarged and drawn over, as image to image does.
 *
 * @param width    pixels, a multiple of what the family needs, at least those of the first pass
 * @param height   likewise
 * @param strength share of the steps that are run, above 0 up to 1
 * @param steps    of its schedule; 0 for as many as the first pass has
 * @param upscaler what is enlarged
 */
public record Hires(int width, int height, double strength, int steps, Upscaler upscaler) {
    /** The most that a side grows. */
    public static final double MOST = 8;
    /** So that 1.15 times 640 is 736. */
    private static final double ROUNDING = 1e-6;

    /** What is enlarged between the passes. */
    public enum Upscaler {
        /** The latents, bilinear: AUTOMATIC1111's "Latent". */
        LATENT("Latent"),
        /** The decoded picture, by Lanczos; it is encoded again. */
        LANCZOS("Lanczos");

        private final String title;

        Upscaler(String title) {
            this.title = title;
        }

        public String label() {
            return name().toLowerCase(Locale.ROOT);
        }

        /** AUTOMATIC1111's name for it. */
        public String title() {
            return title;
        }

        /** @return null for one that is not here */
        public static Upscaler find(String name) {
            return Arrays.stream(values()).filter(one -> one.title.equalsIgnoreCase(name)).findFirst().orElse(null);
        }

        public static Upscaler of(String name) {
            Upscaler found = find(name);
            if (found == null) {
                throw new InputException("there is no upscaler '" + InputException.shown(name) + "'; use "
                        + Arrays.stream(values()).map(Upscaler::label).collect(Collectors.joining(" or ")));
            }
            return found;
        }
    }

    public Hires {
        if (!(strength > 0 && strength <= 1)) {
            throw new InputException("the strength of the second pass is " + strength + "; use more than 0, up to 1");
        }
        if (steps < 0) {
            throw new InputException("the second pass is to have " + steps + " steps; use 1 or more, or 0 for those"
                    + " of the first");
        }
    }

    /** The same at a size that can be drawn, where the family rounds sizes. */
    public Hires rounded(ImageSize sizes) {
        return new Hires(sizes.rounded(width), sizes.rounded(height), strength, steps, upscaler);
    }

    /** For the line of settings. */
    public String inWords() {
        return "second pass " + width + "x" + height + " by " + upscaler.title() + ", strength " + strength
                + (steps > 0 ? " of " + steps + " steps" : "");
    }

    /** A size by a factor. */
    public static PixelSize times(double factor, int width, int height) {
        if (!(factor >= 1 && factor <= MOST)) {
            throw new InputException("the second pass is to be " + factor + " times as large; use 1 to " + (int) MOST);
        }
        return new PixelSize((int) (width * factor + ROUNDING), (int) (height * factor + ROUNDING));
    }
}
