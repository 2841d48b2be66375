package jdiffusion.model.pipeline;

import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.family.MaskFill;
import jdiffusion.model.image.Picture;

/** A request's mask at the size of its latents, 1 where to draw, for all channels alike: [channels, height, width]. */
final class LatentMask {
    private static final float WHITEST = 255;

    private LatentMask() {
    }

    /**
     * Null without a mask.
     *
     * @param hard whether edges are hard even where the request wants soft ones: a latent pixel is then all or nothing,
     *             as the first pixel of its place; else the mean of its place
     */
    static float[] of(GenerationRequest request, LatentSpace space, boolean hard) {
        if (request.mask() == null) {
            return null;
        }
        boolean soft = !hard && request.inpainting().soft();
        int factor = space.factor();
        int columns = request.width() / factor;
        int plane = request.height() / factor * columns;
        int[] luma = request.mask().luma();
        float[] values = new float[space.channels() * plane];
        for (int i = 0; i < plane; i++) {
            int first = i / columns * factor * request.width() + i % columns * factor;
            values[i] = soft ? mean(luma, first, request.width(), factor) / WHITEST
                    : luma[first] >= Picture.WHITE ? 1 : 0;
        }
        for (int c = 1; c < space.channels(); c++) {
            System.arraycopy(values, 0, values, c * plane, plane);
        }
        return values;
    }

    private static float mean(int[] luma, int first, int width, int side) {
        int sum = 0;
        for (int i = 0; i < side * side; i++) {
            sum += luma[first + i / side * width + i % side];
        }
        return (float) sum / (side * side);
    }

    /**
     * The latents that a fill leaves of those of a picture: in the mask the noise that the picture is drawn from, or
     * zeros.
     *
     * @param init  [images, channels, height, width]
     * @param noise likewise
     */
    static float[] filled(float[] init, float[] noise, float[] mask, MaskFill fill) {
        if (fill != MaskFill.NOISE && fill != MaskFill.NOTHING) {
            return init;
        }
        float[] filled = new float[init.length];
        for (int i = 0; i < filled.length; i++) {
            float share = mask[i % mask.length];
            filled[i] = init[i] * (1 - share) + (fill == MaskFill.NOISE ? share * noise[i] : 0);
        }
        return filled;
    }
}
