package jdiffusion.model.request;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.UnaryOperator;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Inpainting;
import jdiffusion.model.family.MaskFill;
import jdiffusion.model.image.Border;
import jdiffusion.model.image.Box;
import jdiffusion.model.image.Cutout;
import jdiffusion.model.image.Mask;
import jdiffusion.model.image.Paste;
import jdiffusion.model.image.Picture;
import jdiffusion.tensor.InputException;

/**
 * How the masked part of a picture is drawn, as users say it.
 *
 * @param blur       standard deviation of the Gaussian that softens the mask, in its pixels; 0 for hard edges
 * @param inverted   whether black is what is drawn
 * @param onlyMasked whether the part around what is masked is cut out, drawn at the size asked for, and put back
 * @param padding    pixels around that part
 * @param fill       what the masked part starts from
 * @param pasted     whether what was drawn is pasted into the picture by the mask, so that nothing else of it changes;
 *                   a blur, a part and a border do so in any case
 * @param border     what is drawn around the picture; null for none
 */
public record InpaintSettings(int blur, boolean inverted, boolean onlyMasked, int padding, MaskFill fill,
                              boolean pasted, Border border) {
    /** A mask with hard edges, and all of the picture decoded anew. */
    public static final InpaintSettings PLAIN = new InpaintSettings(0, false, false, 0, MaskFill.ORIGINAL, false, null);
    /** The most that a mask can be blurred. */
    public static final int MOST_BLUR = 64;
    /** Where nothing is said, as in AUTOMATIC1111's web UI. */
    public static final int USUAL_PADDING = 32;
    /** Of the mask of a border, where nothing is said. */
    public static final int USUAL_BORDER_BLUR = 4;
    /** With a border, where nothing is said. */
    private static final double USUAL_BORDER_STRENGTH = 0.8;
    private static final int MOST_PADDING = 100_000;

    public InpaintSettings {
        if (blur < 0 || blur > MOST_BLUR) {
            throw new InputException("the mask is to be blurred by " + blur + " pixels; use 0 (not at all) to "
                    + MOST_BLUR);
        }
        if (padding < 0 || padding > MOST_PADDING) {
            throw new InputException("the padding around what is masked is " + padding + " pixels; use 0 to "
                    + MOST_PADDING);
        }
        if (onlyMasked && border != null) {
            throw new InputException("only what is masked is to be drawn, and a border around the picture; leave out one"
                    + " of the two");
        }
    }

    /** Whether what was drawn is pasted into the picture. */
    private boolean pastes() {
        return pasted || blur > 0 || onlyMasked || border != null;
    }

    /** For the line of settings, what is not as usual. */
    public List<String> inWords() {
        Map<String, String> fields = new LinkedHashMap<>();
        InpaintChoices.describe(this, fields);
        return fields.entrySet().stream().map(field -> field.getKey().toLowerCase(Locale.ROOT) + " "
                + field.getValue()).toList();
    }

    /** The share of the steps that is usual. */
    double strength(GenerationRequest request) {
        return border == null ? request.strength() : USUAL_BORDER_STRENGTH;
    }

    /**
     * The request with the pictures.
     *
     * @param request  with the size to draw
     * @param mask     null for none
     * @param cut      whether pictures of another shape lose their edges; else they are stretched
     * @param strength share of the steps to run
     */
    public GenerationRequest addTo(GenerationRequest request, Picture init, Picture mask, boolean cut,
                                   double strength) {
        UnaryOperator<Picture> sized = picture -> cut ? picture.fitted(request.width(), request.height())
                : picture.resized(request.width(), request.height());
        GenerationRequest.Builder builder = request.toBuilder();
        if (equals(PLAIN)) {
            return builder.init(sized.apply(init), strength).mask(mask == null ? null : sized.apply(mask)).build();
        }
        Mask all = mask(init, mask);
        if (onlyMasked) {
            Box box = all.box();
            if (box == null) {
                throw new InputException("the mask selects nothing, so there is no part to draw alone; "
                        + (inverted ? "inverted, black" : "white") + " is what is drawn anew");
            }
            Cutout cutout = Cutout.of(box.padded(padding, init.width(), init.height()), init.width(), init.height(),
                    request.width(), request.height());
            return with(builder, cutout.of(init), edged(cutout.of(all.picture())), new Paste(init, all, cutout),
                    strength);
        }
        Picture whole = sized.apply(border == null ? init : border.around(init));
        Mask drawn = edged(sized.apply(all.picture()));
        return with(builder, whole, drawn, Paste.whole(whole, drawn), strength);
    }

    private GenerationRequest with(GenerationRequest.Builder builder, Picture init, Mask mask, Paste paste,
                                   double strength) {
        return builder.init(fill == MaskFill.ORIGINAL ? init : init.filled(mask), strength).mask(mask.picture())
                .inpainting(new Inpainting(blur > 0, fill, pastes() ? paste : null)).build();
    }

    /** Of the picture with its border, with edges as soft as they are to be. */
    private Mask mask(Picture init, Picture given) {
        if (given == null && border == null) {
            throw new InputException("there is no mask that could be softened, inverted or filled, or whose part could"
                    + " be drawn; give one");
        }
        if (given == null && inverted) {
            throw new InputException("there is no mask that could be inverted; the border is drawn in any case");
        }
        Mask mask = null;
        if (given != null) {
            boolean placed = onlyMasked || border != null;
            mask = Mask.of(placed ? given.resized(init.width(), init.height()) : given);
            mask = inverted ? mask.inverted() : mask;
        }
        if (border != null) {
            // So far in that the border is drawn whole.
            mask = border.mask(init.width(), init.height(), 2 * blur, mask);
        }
        return blur == 0 ? mask.hard() : mask.blurred(blur);
    }

    private Mask edged(Picture resized) {
        return blur == 0 ? Mask.of(resized).hard() : Mask.of(resized);
    }
}
