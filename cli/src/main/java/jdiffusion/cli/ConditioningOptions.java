package jdiffusion.cli;

import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.family.Family;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.MicroConditioning;
import jdiffusion.model.family.MicroConditioning.Pair;
import jdiffusion.model.family.TextOptions;
import jdiffusion.tensor.InputException;
import picocli.CommandLine.Option;

/** What only some families read beside the prompt; null where the user says nothing. */
final class ConditioningOptions {
    private static final Pattern SIZE = Pattern.compile("\\s*([1-9]\\d{0,6})\\s*[xX]\\s*([1-9]\\d{0,6})\\s*");
    private static final Pattern PLACE = Pattern.compile("\\s*(\\d{1,7})\\s*,\\s*(\\d{1,7})\\s*");
    /** Layers that A1111 and stable-diffusion.cpp count for the usual hidden state of SDXL and SD3. */
    private static final int USUAL_SKIP = 2;
    private static final float LOWEST_SCORE = 1;
    private static final float HIGHEST_SCORE = 10;
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
    private static final String OFF = "off";
    private static final String AESTHETIC = "Aesthetic score";
    private static final String NEGATIVE_AESTHETIC = "Negative aesthetic score";

    @Option(names = "--prompt-2", paramLabel = "TEXT",
            description = "SDXL: another prompt for the second text encoder. Default: the same.")
    String prompt2;

    @Option(names = "--negative-prompt-2", paramLabel = "TEXT", description = "SDXL: likewise.")
    String negativePrompt2;

    @Option(names = "--clip-skip", paramLabel = "N",
            description = "At which layer of CLIP the prompt is read, counted from the last. Default: 2, as"
                    + " these models were trained; diffusers counts from there.")
    Integer clipSkip;

    @Option(names = "--original-size", paramLabel = "WxH",
            description = "SDXL: how large the picture is said to have been. Default: the picture's size.")
    String originalSize;

    @Option(names = "--crop-top-left", paramLabel = "TOP,LEFT",
            description = "SDXL: where the picture is said to be cut. Default: 0,0.")
    String crop;

    @Option(names = "--target-size", paramLabel = "WxH",
            description = "SDXL: the size that is said to be wanted. Default: the picture's size.")
    String targetSize;

    @Option(names = "--negative-original-size", paramLabel = "WxH",
            description = "SDXL: the same for what to steer away from. Default: as above.")
    String negativeOriginalSize;

    @Option(names = "--negative-crop-top-left", paramLabel = "TOP,LEFT", description = "SDXL: likewise.")
    String negativeCrop;

    @Option(names = "--negative-target-size", paramLabel = "WxH", description = "SDXL: likewise.")
    String negativeTargetSize;

    @Option(names = "--aesthetic-score", paramLabel = "X", description = "SDXL's refiner: 1 to 10. Default: 6.")
    Float aestheticScore;

    @Option(names = "--negative-aesthetic-score", paramLabel = "X",
            description = "The same for what to steer away from. Default: 2.5.")
    Float negativeAestheticScore;

    @Option(names = "--resolution-binning", negatable = true,
            description = "PixArt: whether a size is drawn that it was trained on, and the picture then brought to the"
                    + " one asked for. Default: yes.")
    Boolean resolutionBinning;

    @Option(names = "--clean-caption", negatable = true,
            description = "PixArt: whether the prompt is cleaned as captions were for training. Default: yes.")
    Boolean cleanCaption;

    void applyTo(GenerationRequest defaults, GenerationRequest.Builder request) {
        MicroConditioning micro = defaults.micro();
        if (clipSkip != null && clipSkip < USUAL_SKIP) {
            throw new InputException("--clip-skip is " + clipSkip + "; these models were trained on the last layer but"
                    + " one, so use 2 (the usual one) or more");
        }
        checkScore("--aesthetic-score", aestheticScore);
        checkScore("--negative-aesthetic-score", negativeAestheticScore);
        request.text(new TextOptions(prompt2, negativePrompt2, clipSkip == null ? 0 : clipSkip - USUAL_SKIP,
                        or(cleanCaption, defaults.text().cleanCaption())))
                .resolutionBinning(or(resolutionBinning, defaults.resolutionBinning()))
                .micro(new MicroConditioning(size("--original-size", originalSize), place("--crop-top-left", crop),
                        size("--target-size", targetSize), size("--negative-original-size", negativeOriginalSize),
                        place("--negative-crop-top-left", negativeCrop),
                        size("--negative-target-size", negativeTargetSize),
                        aestheticScore == null ? micro.aesthetic() : aestheticScore,
                        negativeAestheticScore == null ? micro.negativeAesthetic() : negativeAestheticScore));
    }

    /** Whether an aesthetic score is given. */
    boolean scored() {
        return aestheticScore != null || negativeAestheticScore != null;
    }

    /** Tells of switches that a family has no use of. */
    void note(Family family, Consumer<String> notes) {
        note("--resolution-binning", resolutionBinning, family.hasBins(), "draws every size as it is asked for", family,
                notes);
        note("--clean-caption", cleanCaption, family.cleansCaptions(), "reads prompts as they are", family, notes);
    }

    private static void note(String option, Boolean given, boolean used, String why, Family family,
                             Consumer<String> notes) {
        if (given != null && !used) {
            notes.accept((given ? option : option.replace("--", "--no-")) + " changes nothing: " + family.label() + " "
                    + why);
        }
    }

    private static void checkScore(String option, Float score) {
        if (score != null && !(score >= LOWEST_SCORE && score <= HIGHEST_SCORE)) {
            throw new InputException(option + " is " + score + "; use 1 to 10");
        }
    }

    /** Width and height, as a height and a width. */
    private static Pair size(String option, String given) {
        Matcher matcher = matched(option, given, SIZE, "a width and a height, such as 1024x1024");
        return matcher == null ? null
                : new Pair(Integer.parseInt(matcher.group(2)), Integer.parseInt(matcher.group(1)));
    }

    private static Pair place(String option, String given) {
        Matcher matcher = matched(option, given, PLACE, "a row and a column, such as 0,0");
        return matcher == null ? null
                : new Pair(Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)));
    }

    private static Matcher matched(String option, String given, Pattern pattern, String wanted) {
        Matcher matcher = given == null ? null : pattern.matcher(given);
        if (matcher != null && !matcher.matches()) {
            throw new InputException(option + " is '" + InputException.shown(given) + "'; give " + wanted);
        }
        return matcher;
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
        put(fields, ORIGINAL, sizeText(micro.original()));
        put(fields, CROP, placeText(micro.crop()));
        put(fields, TARGET, sizeText(micro.target()));
        put(fields, NEGATIVE_ORIGINAL, sizeText(micro.negativeOriginal()));
        put(fields, NEGATIVE_CROP, placeText(micro.negativeCrop()));
        put(fields, NEGATIVE_TARGET, sizeText(micro.negativeTarget()));
        put(fields, BINNING, r.resolutionBinning() ? null : OFF);
        put(fields, CLEANING, text.cleanCaption() ? null : OFF);
        put(fields, AESTHETIC, micro.aesthetic() == usual.aesthetic() ? null
                : PictureSettings.number(micro.aesthetic()));
        put(fields, NEGATIVE_AESTHETIC, micro.negativeAesthetic() == usual.negativeAesthetic() ? null
                : PictureSettings.number(micro.negativeAesthetic()));
    }

    private static void put(Map<String, String> fields, String name, String value) {
        if (value != null) {
            fields.put(name, value);
        }
    }

    private static String sizeText(Pair pair) {
        return pair == null ? null : pair.second() + "x" + pair.first();
    }

    private static String placeText(Pair pair) {
        return pair == null ? null : pair.first() + "," + pair.second();
    }

    /**
     * Out of a picture's text, where the user says nothing.
     *
     * @param take   gives the value of a name; null for none
     * @param number the same, as a number
     */
    void fill(UnaryOperator<String> take, Function<String, Float> number) {
        prompt2 = or(prompt2, take.apply(PROMPT_2));
        negativePrompt2 = or(negativePrompt2, take.apply(NEGATIVE_2));
        Float skip = number.apply(CLIP_SKIP);
        // A1111 writes 1 where nothing was chosen, and reads these models at the usual layer all the same.
        clipSkip = or(clipSkip, skip == null || skip < USUAL_SKIP ? null : Integer.valueOf(Math.round(skip)));
        originalSize = or(originalSize, take.apply(ORIGINAL));
        crop = or(crop, take.apply(CROP));
        targetSize = or(targetSize, take.apply(TARGET));
        negativeOriginalSize = or(negativeOriginalSize, take.apply(NEGATIVE_ORIGINAL));
        negativeCrop = or(negativeCrop, take.apply(NEGATIVE_CROP));
        negativeTargetSize = or(negativeTargetSize, take.apply(NEGATIVE_TARGET));
        resolutionBinning = or(resolutionBinning, OFF.equals(take.apply(BINNING)) ? Boolean.FALSE : null);
        cleanCaption = or(cleanCaption, OFF.equals(take.apply(CLEANING)) ? Boolean.FALSE : null);
        aestheticScore = or(aestheticScore, number.apply(AESTHETIC));
        negativeAestheticScore = or(negativeAestheticScore, number.apply(NEGATIVE_AESTHETIC));
    }

    /**
     * The negative prompt of a picture's text: one that was given and empty is told from none.
     *
     * @param found in the text's usual place; may be null or empty
     */
    static String negative(String found, UnaryOperator<String> take) {
        String empty = take.apply(EMPTY_NEGATIVE);
        return found != null && !found.isEmpty() ? found : ENCODED.equals(empty) ? "" : null;
    }

    private static <T> T or(T value, T otherwise) {
        return value == null ? otherwise : value;
    }
}
