package jdiffusion.model.request;

import java.util.Map;
import jdiffusion.model.family.MaskFill;
import jdiffusion.model.family.PixelSize;
import jdiffusion.model.image.Border;
import jdiffusion.model.image.Picture;
import jdiffusion.tensor.InputException;

/** What is said of how a mask acts; null where nothing is. */
public final class InpaintChoices {
    /** Names in pictures' texts: AUTOMATIC1111's, and two of our own for what it lacks. */
    private static final String BLUR = "Mask blur";
    private static final String MODE = "Mask mode";
    private static final String INVERTED = "Inpaint not masked";
    private static final String CONTENT = "Masked content";
    private static final String AREA = "Inpaint area";
    private static final String ONLY_MASKED = "Only masked";
    private static final String PADDING = "Masked area padding";
    private static final String BORDER = "Outpaint";
    private static final String PASTED = "Mask paste";
    private static final String ON = "on";

    /** See {@link InpaintSettings}, as for all that follows. */
    public Integer blur;
    public Boolean inverted;
    public Boolean onlyMasked;
    public Integer padding;
    public MaskFill fill;
    public Boolean pasted;
    public Border border;

    /** With the usual values where nothing is said: edges are hard, but for those of a border. */
    public InpaintSettings settings() {
        boolean part = Boolean.TRUE.equals(onlyMasked);
        return new InpaintSettings(blur != null ? blur : border == null ? 0 : InpaintSettings.USUAL_BORDER_BLUR,
                Boolean.TRUE.equals(inverted), part, !part ? 0 : padding != null ? padding
                : InpaintSettings.USUAL_PADDING, fill == null ? MaskFill.ORIGINAL : fill, Boolean.TRUE.equals(pasted),
                border);
    }

    /** Whether a mask is needed for what is said. */
    public boolean needsMask() {
        return Boolean.TRUE.equals(inverted) || Boolean.TRUE.equals(onlyMasked) || border == null && (fill != null
                || Boolean.TRUE.equals(pasted) || blur != null && blur != 0);
    }

    /**
     * The size to draw where none is asked for; null for the model's usual one, at which a part is drawn.
     *
     * @param init the picture to start from
     */
    public PixelSize size(Picture init) {
        if (Boolean.TRUE.equals(onlyMasked)) {
            return null;
        }
        return border == null ? new PixelSize(init.width(), init.height())
                : new PixelSize(border.width(init.width()), border.height(init.height()));
    }

    /**
     * Fails where a border does not give the size that is drawn.
     *
     * @param multiple of which the model draws sizes
     */
    public void checkSize(Picture init, int width, int height, int multiple) {
        if (border == null) {
            return;
        }
        border.check(init.width(), init.height(), multiple);
        PixelSize size = size(init);
        if (size.width() != width || size.height() != height) {
            throw new InputException("a border of " + border.text() + " makes the picture " + size + ", but " + width
                    + "x" + height + " is asked for; leave out the size");
        }
    }

    /** Into a picture's text. */
    public static void describe(InpaintSettings settings, Map<String, String> fields) {
        if (settings.blur() > 0) {
            fields.put(BLUR, Integer.toString(settings.blur()));
        }
        if (settings.inverted()) {
            fields.put(MODE, INVERTED);
        }
        if (settings.fill() != MaskFill.ORIGINAL) {
            fields.put(CONTENT, settings.fill().title());
        }
        if (settings.onlyMasked()) {
            fields.put(AREA, ONLY_MASKED);
            fields.put(PADDING, Integer.toString(settings.padding()));
        }
        if (settings.border() != null) {
            fields.put(BORDER, settings.border().text());
            if (settings.blur() == 0) {
                fields.put(BLUR, "0");
            }
        }
        if (settings.pasted() && settings.blur() == 0 && !settings.onlyMasked() && settings.border() == null) {
            fields.put(PASTED, ON);
        }
    }

    /** Takes what a picture's text says. */
    void fill(TakenSettings text) {
        blur = text.integer(BLUR);
        inverted = INVERTED.equalsIgnoreCase(text.take(MODE)) ? Boolean.TRUE : null;
        String content = text.take(CONTENT);
        fill = content == null ? null : MaskFill.of(content);
        onlyMasked = ONLY_MASKED.equalsIgnoreCase(text.take(AREA)) ? Boolean.TRUE : null;
        Integer around = text.integer(PADDING);
        padding = onlyMasked == null ? null : around;
        String size = text.take(BORDER);
        border = size == null ? null : Border.of(size, text.file() + ": " + BORDER);
        pasted = ON.equals(text.take(PASTED)) ? Boolean.TRUE : null;
    }

    /** Takes from others what is not said here. */
    public void or(InpaintChoices others) {
        blur = or(blur, others.blur);
        inverted = or(inverted, others.inverted);
        fill = or(fill, others.fill);
        onlyMasked = or(onlyMasked, others.onlyMasked);
        padding = or(padding, Boolean.TRUE.equals(onlyMasked) ? others.padding : null);
        border = or(border, others.border);
        pasted = or(pasted, others.pasted);
    }

    private static <T> T or(T value, T otherwise) {
        return value == null ? otherwise : value;
    }
}
