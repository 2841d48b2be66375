package jdiffusion.model.request;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Hires;
import jdiffusion.model.family.PixelSize;
import jdiffusion.tensor.InputException;

/** What is said of a second pass at a larger size; null where nothing is. */
public final class HiresChoices {
    /** Where nothing is said. */
    public static final double USUAL_STRENGTH = 0.5;
    public static final Hires.Upscaler USUAL_UPSCALER = Hires.Upscaler.LANCZOS;
    /** AUTOMATIC1111's names in pictures' texts. */
    private static final String FACTOR = "Hires upscale";
    private static final String SIZE = "Hires resize";
    private static final String STEPS = "Hires steps";
    private static final String UPSCALER = "Hires upscaler";
    private static final Pattern SIZES = Pattern.compile("(\\d{1,5})x(\\d{1,5})");
    private static final int DIGITS = 4;

    /** How many times as large; or {@link #size}. */
    public Double factor;
    /** A side of 0 follows from the other. */
    public PixelSize size;
    public Double strength;
    /** 0 for those of the first pass. */
    public Integer steps;
    public Hires.Upscaler upscaler;

    /** Whether there is to be a second pass. */
    public boolean isThere() {
        return factor != null || size != null;
    }

    /**
     * Takes a factor, or a width and a height.
     *
     * @param name of the option or field, for messages
     */
    public void larger(String text, String name) {
        Matcher matcher = SIZES.matcher(text.strip());
        factor = null;
        size = null;
        if (matcher.matches()) {
            size = new PixelSize(Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)));
            return;
        }
        try {
            factor = Double.valueOf(text.strip());
        } catch (NumberFormatException e) {
            throw new InputException(name + " is '" + InputException.shown(text) + "'; give a factor, such as 1.5, or a"
                    + " size, such as 1536x1024", e);
        }
    }

    /**
     * The request with the second pass, if there is to be one.
     *
     * @param multiple of which the model draws sizes; what a factor gives is rounded down to it
     * @param rounds   whether a size is rounded down, too
     * @param notes    told of that
     */
    public GenerationRequest addTo(GenerationRequest request, int multiple, boolean rounds, Consumer<String> notes) {
        if (!isThere()) {
            return request;
        }
        PixelSize wanted = wanted(request.width(), request.height());
        boolean exact = size != null && !rounds;
        PixelSize drawn = exact ? wanted : new PixelSize(wanted.width() / multiple * multiple,
                wanted.height() / multiple * multiple);
        if (!drawn.equals(wanted)) {
            notes.accept("the second pass is to be " + wanted + "; drawn is " + drawn + ", the next size below in"
                    + " multiples of " + multiple);
        }
        return request.toBuilder().hires(new Hires(drawn.width(), drawn.height(),
                strength == null ? USUAL_STRENGTH : strength, steps == null ? 0 : steps,
                upscaler == null ? USUAL_UPSCALER : upscaler)).build();
    }

    private PixelSize wanted(int width, int height) {
        if (size == null) {
            return Hires.times(factor, width, height);
        }
        return new PixelSize(size.width() > 0 ? size.width() : (int) ((long) size.height() * width / height),
                size.height() > 0 ? size.height() : (int) ((long) size.width() * height / width));
    }

    /** Into a picture's text. */
    public static void describe(GenerationRequest request, Map<String, String> fields) {
        Hires hires = request.hires();
        if (hires == null) {
            return;
        }
        BigDecimal factor = BigDecimal.valueOf((double) hires.width() / request.width())
                .setScale(DIGITS, RoundingMode.HALF_UP).stripTrailingZeros();
        double value = factor.doubleValue();
        boolean exact = value >= 1 && value <= Hires.MOST && Hires.times(value, request.width(), request.height())
                .equals(new PixelSize(hires.width(), hires.height()));
        fields.put(PictureText.STRENGTH, PictureText.number(hires.strength()));
        fields.put(exact ? FACTOR : SIZE, exact ? factor.toPlainString() : hires.width() + "x" + hires.height());
        if (hires.steps() > 0) {
            fields.put(STEPS, Integer.toString(hires.steps()));
        }
        fields.put(UPSCALER, hires.upscaler().title());
    }

    /**
     * Takes what a picture's text says.
     *
     * @param notes told of an upscaler that is not here
     */
    void fill(TakenSettings text, Consumer<String> notes) {
        String sides = text.take(SIZE);
        String times = text.take(FACTOR);
        if (sides == null && times == null) {
            return;
        }
        Integer count = text.integer(STEPS);
        String name = text.take(UPSCALER);
        larger(times == null ? sides : times, text.file() + ": '" + (times == null ? SIZE : FACTOR) + "'");
        strength = text.precise(PictureText.STRENGTH);
        steps = count;
        upscaler = name == null ? null : Hires.Upscaler.find(name);
        if (name != null && upscaler == null) {
            notes.accept("the upscaler '" + InputException.shown(name) + "' of " + text.file() + " is not here; "
                    + USUAL_UPSCALER.title() + " is used");
        }
    }

    /** Takes from others what is not said here. */
    public void or(HiresChoices others) {
        if (!isThere()) {
            factor = others.factor;
            size = others.size;
        }
        strength = strength == null ? others.strength : strength;
        steps = steps == null ? others.steps : steps;
        upscaler = upscaler == null ? others.upscaler : upscaler;
    }
}
