package jdiffusion.model.pipeline;

import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.PixelSize;
import jdiffusion.model.image.Bilinear;
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

    /** The request for what is drawn, in the first pass where there are two, its own pictures put where they will be seen in what is asked for. */
    GenerationRequest drawn(GenerationRequest request) {
        if (isSame()) {
            return request;
        }
        GenerationRequest.Builder builder = request.toBuilder().size(drawn.width(), drawn.height())
                .resolutionBinning(false).hires(null);
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
        return picture.framed((all.width() - asked.width()) / 2, (all.height() - asked.height()) / 2, all.width(),
                all.height()).resized(drawn.width(), drawn.height());
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
        return Bilinear.cover(drawn.width(), drawn.height(), asked.width(), asked.height())
                .of(values, COLOURS * images);
    }
}
