package jdiffusion.model.request;

import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.MicroConditioning;
import jdiffusion.model.family.MicroConditioning.Pair;
import jdiffusion.model.family.TextOptions;
import jdiffusion.tensor.InputException;

/** What a picture's text says of what only some families read beside the prompt. */
public final class ConditioningText {
    /** Layers that A1111 and stable-diffusion.cpp count for the usual hidden state of SDXL and SD3. */
    public static final int USUAL_SKIP = 2;
    private static final Pattern SIZE = Pattern.compile("\\s*([1-9]\\d{0,6})\\s*[xX]\\s*([1-9]\\d{0,6})\\s*");
    private static final Pattern PLACE = Pattern.compile("\\s*(\\d{1,7})\\s*,\\s*(\\d{1,7})\\s*");
    private static final String EMPTY_NEGATIVE = "Empty negative prompt";
    private static final String ENCODED = "encoded";
    private static final String CLIP_SKIP = "Clip skip";
    private static final String PROMPT_2 = "Prompt 2";
    private static final String NEGATIVE_2 = "Negative prompt 2";
    private static final String ORIGINAL = "Original size";
    private static final String CROP = "Crop top left";
    private static final String TARGET = "Target size";
    private static final String NEGATIVE_ORIGINAL = "Negative original size";
    private static final String NEGATIVE_CROP = "Negative crop top left";
    private static final String NEGATIVE_TARGET = "Negative target size";
    private static final String BINNING = "Resolution binning";
    private static final String CLEANING = "Clean caption";
    private static final String AESTHETIC = "Aesthetic score";
    private static final String NEGATIVE_AESTHETIC = "Negative aesthetic score";

    private ConditioningText() {
    }

    /** Into a picture's text, where it is not the default. */
    static void describe(GenerationRequest r, Map<String, String> fields) {
        TextOptions text = r.text();
        MicroConditioning micro = r.micro();
        MicroConditioning usual = MicroConditioning.DEFAULT;
        put(fields, EMPTY_NEGATIVE, r.negativePrompt() != null && r.negativePrompt().isEmpty() ? ENCODED : null);
        put(fields, PROMPT_2, text.prompt2());
        put(fields, NEGATIVE_2, text.negativePrompt2());
        put(fields, CLIP_SKIP, text.clipSkip() == 0 ? null : Integer.toString(text.clipSkip() + USUAL_SKIP));
        put(fields, ORIGINAL, size(micro.original()));
        put(fields, CROP, place(micro.crop()));
        put(fields, TARGET, size(micro.target()));
        put(fields, NEGATIVE_ORIGINAL, size(micro.negativeOriginal()));
        put(fields, NEGATIVE_CROP, place(micro.negativeCrop()));
        put(fields, NEGATIVE_TARGET, size(micro.negativeTarget()));
        put(fields, BINNING, r.resolutionBinning() ? null : PictureText.OFF);
        put(fields, CLEANING, text.cleanCaption() ? null : PictureText.OFF);
        put(fields, AESTHETIC, micro.aesthetic() == usual.aesthetic() ? null : PictureText.number(micro.aesthetic()));
        put(fields, NEGATIVE_AESTHETIC, micro.negativeAesthetic() == usual.negativeAesthetic() ? null
                : PictureText.number(micro.negativeAesthetic()));
    }

    private static void put(Map<String, String> fields, String name, String value) {
        if (value != null) {
            fields.put(name, value);
        }
    }

    /** Out of a picture's text. */
    static void read(TakenSettings settings, PictureFields fields) {
        fields.prompt2 = settings.take(PROMPT_2);
        fields.negativePrompt2 = settings.take(NEGATIVE_2);
        Float skip = settings.decimal(CLIP_SKIP);
        // A1111 writes 1 where nothing was chosen, and reads these models at the usual layer all the same.
        fields.clipSkip = skip == null || skip < USUAL_SKIP ? null : Integer.valueOf(Math.round(skip));
        fields.originalSize = size(ORIGINAL, settings.take(ORIGINAL));
        fields.crop = place(CROP, settings.take(CROP));
        fields.targetSize = size(TARGET, settings.take(TARGET));
        fields.negativeOriginalSize = size(NEGATIVE_ORIGINAL, settings.take(NEGATIVE_ORIGINAL));
        fields.negativeCrop = place(NEGATIVE_CROP, settings.take(NEGATIVE_CROP));
        fields.negativeTargetSize = size(NEGATIVE_TARGET, settings.take(NEGATIVE_TARGET));
        fields.resolutionBinning = PictureText.OFF.equals(settings.take(BINNING)) ? Boolean.FALSE : null;
        fields.cleanCaption = PictureText.OFF.equals(settings.take(CLEANING)) ? Boolean.FALSE : null;
        fields.aestheticScore = settings.decimal(AESTHETIC);
        fields.negativeAestheticScore = settings.decimal(NEGATIVE_AESTHETIC);
        // A negative prompt that was given and empty is told from none.
        String negative = settings.found().negativePrompt();
        String empty = settings.take(EMPTY_NEGATIVE);
        fields.negativePrompt = negative != null && !negative.isEmpty() ? negative : ENCODED.equals(empty) ? "" : null;
    }

    /** As WIDTHxHEIGHT; null for null. */
    public static String size(Pair pair) {
        return pair == null ? null : pair.second() + "x" + pair.first();
    }

    /** As TOP,LEFT; null for null. */
    public static String place(Pair pair) {
        return pair == null ? null : pair.first() + "," + pair.second();
    }

    /**
     * Width and height, as a height and a width.
     *
     * @param name  for messages
     * @param given null for none
     */
    public static Pair size(String name, String given) {
        Matcher matcher = matched(name, given, SIZE, "a width and a height, such as 1024x1024");
        return matcher == null ? null
                : new Pair(Integer.parseInt(matcher.group(2)), Integer.parseInt(matcher.group(1)));
    }

    /** A row and a column, with a comma between. */
    public static Pair place(String name, String given) {
        Matcher matcher = matched(name, given, PLACE, "a row and a column, such as 0,0");
        return matcher == null ? null
                : new Pair(Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)));
    }

    private static Matcher matched(String name, String given, Pattern pattern, String wanted) {
        Matcher matcher = given == null ? null : pattern.matcher(given);
        if (matcher != null && !matcher.matches()) {
            throw new InputException(name + " is '" + InputException.shown(given) + "'; give " + wanted);
        }
        return matcher;
    }
}
