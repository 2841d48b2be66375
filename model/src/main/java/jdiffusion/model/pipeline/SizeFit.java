package jdiffusion.model.pipeline;

import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.PixelSize;
import jdiffusion.model.image.Picture;

/**
 * Between the size at which a picture is drawn and the one that is asked for: the drawn picture is scaled until it
 * covers the other, and cut to it around its middle.
 */
record SizeFit(PixelSize drawn, PixelSize asked) {
    private static final int COLOURS = 3;

    static SizeFit of(ModelInfo model, GenerationRequest request) {
        PixelSize asked = new PixelSize(request.width(), request.height());
        return new SizeFit(isBinned(model, request)
                ? model.family().bin(model.denoiser(), request.width(), request.height()) : asked, asked);
    }

    /** Whether a size of the family's table is drawn. */
    static boolean isBinned(ModelInfo model, GenerationRequest request) {
        return request.resolutionBinning() && request.width() > 0 && request.height() > 0
                && model.family().bin(model.denoiser(), request.width(), request.height()) != null;
    }

    boolean isSame() {
        return drawn.equals(asked);
    }

    /** The request for what is drawn, its own pictures put where they will be seen in what is asked for. */
    GenerationRequest drawn(GenerationRequest request) {
        if (isSame()) {
            return request;
        }
        GenerationRequest.Builder builder = request.toBuilder().size(drawn.width(), drawn.height())
                .resolutionBinning(false);
        if (request.init() != null) {
            builder.init(placed(request.init()), request.strength());
        }
        if (request.mask() != null) {
            builder.mask(placed(request.mask()));
        }
        if (request.control() != null) {
            builder.control(request.control().with(placed(request.control().picture())));
        }
        return builder.build();
    }

    /** Of the drawn picture to the one that covers what is asked for. */
    private double ratio() {
        return Math.max((double) asked.height() / drawn.height(), (double) asked.width() / drawn.width());
    }

    /** Sides of the drawn picture when it covers what is asked for. */
    private PixelSize covering() {
        double ratio = ratio();
        return new PixelSize(Math.max(asked.width(), (int) (drawn.width() * ratio)),
                Math.max(asked.height(), (int) (drawn.height() * ratio)));
    }

    /** A picture of the asked size where it belongs in the drawn one; its borders go on to the edges. */
    Picture placed(Picture picture) {
        if (isSame()) {
            return picture;
        }
        PixelSize all = covering();
        byte[] rgb = new byte[Math.multiplyExact(COLOURS, Math.multiplyExact(all.width(), all.height()))];
        int left = (all.width() - asked.width()) / 2;
        int top = (all.height() - asked.height()) / 2;
        for (int y = 0; y < all.height(); y++) {
            int row = Math.clamp(y - top, 0, asked.height() - 1) * asked.width();
            for (int x = 0; x < all.width(); x++) {
                int from = row + Math.clamp(x - left, 0, asked.width() - 1);
                System.arraycopy(picture.rgb(), COLOURS * from, rgb, COLOURS * (y * all.width() + x), COLOURS);
            }
        }
        return new Picture(all.width(), all.height(), rgb).resized(drawn.width(), drawn.height());
    }

    /**
     * Drawn pictures at the asked size, bilinear between the pixels' middles and without smoothing, as diffusers does.
     *
     * @param values [images, 3, height, width] as drawn
     * @return the same of the asked size
     */
    float[] fitted(float[] values, int images) {
        if (isSame()) {
            return values;
        }
        PixelSize all = covering();
        Axis across = new Axis(drawn.width(), all.width(), (all.width() - asked.width()) / 2, asked.width());
        Axis down = new Axis(drawn.height(), all.height(), (all.height() - asked.height()) / 2, asked.height());
        int plane = drawn.width() * drawn.height();
        float[] out = new float[Math.multiplyExact(COLOURS * images, asked.width() * asked.height())];
        int to = 0;
        for (int p = 0; p < COLOURS * images; p++) {
            for (int y = 0; y < asked.height(); y++) {
                int above = p * plane + down.near[y] * drawn.width();
                int below = p * plane + down.far[y] * drawn.width();
                float share = down.share[y];
                for (int x = 0; x < asked.width(); x++) {
                    out[to++] = (1 - share) * across.between(values, above, x)
                            + share * across.between(values, below, x);
                }
            }
        }
        return out;
    }

    /** Between which pixels those of a line lie. */
    private static final class Axis {
        private final int[] near;
        private final int[] far;
        /** Of the far one. */
        private final float[] share;

        /**
         * @param from  pixels of the line
         * @param to    as many as it is scaled to
         * @param first of those that are kept
         */
        Axis(int from, int to, int first, int count) {
            near = new int[count];
            far = new int[count];
            share = new float[count];
            float scale = (float) from / to;
            for (int i = 0; i < count; i++) {
                float at = Math.max(scale * (first + i + 0.5f) - 0.5f, 0);
                near[i] = Math.min((int) at, from - 1);
                far[i] = Math.min(near[i] + 1, from - 1);
                share[i] = at - near[i];
            }
        }

        float between(float[] values, int line, int i) {
            return (1 - share[i]) * values[line + near[i]] + share[i] * values[line + far[i]];
        }
    }
}
