package jdiffusion.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.stream.Stream;
import jdiffusion.model.family.Family;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.MicroConditioning;
import jdiffusion.model.family.TextOptions;
import jdiffusion.model.request.ConditioningText;
import jdiffusion.model.request.PictureFields;
import jdiffusion.tensor.InputException;
import picocli.CommandLine.Option;

/** What only some families read beside the prompt; null where the user says nothing. */
final class ConditioningOptions {
    private static final float LOWEST_SCORE = 1;
    private static final float HIGHEST_SCORE = 10;

    @Option(names = "--prompt-2", paramLabel = "TEXT",
            description = "SDXL, FLUX.1: another prompt for the second text encoder. Default: the same.")
    String prompt2;

    @Option(names = "--negative-prompt-2", paramLabel = "TEXT", description = "Likewise.")
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

    @Option(names = "--negative-crop-top-left", paramLabel = "TOP,LEFT", description = "Likewise.")
    String negativeCrop;

    @Option(names = "--negative-target-size", paramLabel = "WxH", description = "Likewise.")
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
        if (clipSkip != null && clipSkip < ConditioningText.USUAL_SKIP) {
            throw new InputException("--clip-skip is " + clipSkip + "; these models were trained on the last layer but"
                    + " one, so use 2 (the usual one) or more");
        }
        checkScore("--aesthetic-score", aestheticScore);
        checkScore("--negative-aesthetic-score", negativeAestheticScore);
        int skipped = clipSkip == null ? 0 : clipSkip - ConditioningText.USUAL_SKIP;
        request.text(new TextOptions(prompt2, negativePrompt2, skipped,
                        or(cleanCaption, defaults.text().cleanCaption())))
                .resolutionBinning(or(resolutionBinning, defaults.resolutionBinning()))
                .micro(new MicroConditioning(ConditioningText.size("--original-size", originalSize),
                        ConditioningText.place("--crop-top-left", crop),
                        ConditioningText.size("--target-size", targetSize),
                        ConditioningText.size("--negative-original-size", negativeOriginalSize),
                        ConditioningText.place("--negative-crop-top-left", negativeCrop),
                        ConditioningText.size("--negative-target-size", negativeTargetSize),
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

    /** Out of a picture's settings, where the user says nothing. */
    void fill(PictureFields f) {
        prompt2 = or(prompt2, f.prompt2);
        negativePrompt2 = or(negativePrompt2, f.negativePrompt2);
        clipSkip = or(clipSkip, f.clipSkip);
        originalSize = or(originalSize, ConditioningText.size(f.originalSize));
        crop = or(crop, ConditioningText.place(f.crop));
        targetSize = or(targetSize, ConditioningText.size(f.targetSize));
        negativeOriginalSize = or(negativeOriginalSize, ConditioningText.size(f.negativeOriginalSize));
        negativeCrop = or(negativeCrop, ConditioningText.place(f.negativeCrop));
        negativeTargetSize = or(negativeTargetSize, ConditioningText.size(f.negativeTargetSize));
        resolutionBinning = or(resolutionBinning, f.resolutionBinning);
        cleanCaption = or(cleanCaption, f.cleanCaption);
        aestheticScore = or(aestheticScore, f.aestheticScore);
        negativeAestheticScore = or(negativeAestheticScore, f.negativeAestheticScore);
    }

    /**
     * Takes back what came out of a picture's settings and is not for this family.
     *
     * @param skips whether it reads CLIP at a layer that may be chosen
     * @param two   whether it reads a second prompt
     * @param sizes whether it is told sizes and crops
     * @return what was taken back, to name it
     */
    List<String> leaveOut(PictureFields f, boolean skips, boolean two, boolean sizes) {
        List<String> left = new ArrayList<>();
        if (!skips && f.clipSkip != null && f.clipSkip.equals(clipSkip)) {
            clipSkip = null;
            left.add("clip skip");
        }
        if (!two && (f.prompt2 != null || f.negativePrompt2 != null)) {
            prompt2 = null;
            negativePrompt2 = null;
            left.add("second prompts");
        }
        if (!sizes && Stream.of(f.originalSize, f.crop, f.targetSize, f.negativeOriginalSize, f.negativeCrop,
                f.negativeTargetSize, f.aestheticScore, f.negativeAestheticScore).anyMatch(Objects::nonNull)) {
            originalSize = null;
            crop = null;
            targetSize = null;
            negativeOriginalSize = null;
            negativeCrop = null;
            negativeTargetSize = null;
            aestheticScore = null;
            negativeAestheticScore = null;
            left.add("sizes and crops of SDXL");
        }
        return left;
    }

    private static <T> T or(T value, T otherwise) {
        return value == null ? otherwise : value;
    }
}
