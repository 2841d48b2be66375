package jdiffusion.model.family;

import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import jdiffusion.model.guidance.Guiders;
import jdiffusion.model.image.Picture;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SamplerSettings;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.model.sampling.SkipLayers;
import jdiffusion.tensor.InputException;

/**
 * Everything that decides a picture, with nothing left open. A pipeline gives one with the
 * checkpoint's defaults; {@link #toBuilder()} changes it.
 *
 * @param prompt         what to draw
 * @param negativePrompt what guidance steers away from; empty is encoded like any text; null for none, which for
 *                       some families is zeros instead
 * @param width          pixels, a multiple of what the family needs (SD3 16, SDXL 8)
 * @param height         pixels, a multiple of what the family needs (SD3 16, SDXL 8)
 * @param steps          steps of the schedule
 * @param guidance       classifier-free guidance scale (Ho and Salimans, 2022); 1 or less means none
 * @param seed           of {@code torch.Generator("cpu")}, 64 bits without a sign
 * @param images         pictures to draw
 * @param seeds          how further pictures get their noise
 * @param sampler        the integration method, with what its name leaves open
 * @param schedule       the spacing of noise levels; null for the checkpoint's own
 * @param shift          static timestep shift; NaN for what the checkpoint's scheduler says
 * @param t5Length       tokens for T5
 * @param t5             whether T5 runs
 * @param skipLayers     skip-layer guidance
 * @param init           picture to start from, or null
 * @param strength       with init: share of the steps that are run, above 0 up to 1
 * @param mask           with init: white where to draw, black where to keep; or null
 * @param control        what the model's ControlNet reads, or null for none of it
 * @param guidanceRescale with guidance: the share, 0 to 1, in which its result gets the deviation of the prediction
 *                       with the prompt (Lin et al., "Common Diffusion Noise Schedules and Sample Steps are
 *                       Flawed", 2023, section 3.4)
 * @param sigmas         noise levels by hand in place of a schedule, one a step, falling, without the final 0; empty
 *                       for none
 * @param text           what of the text only some families read
 * @param micro          what SDXL is told of the picture's size
 * @param resolutionBinning whether families that were trained on a table of sizes draw the one that is nearest in
 *                       shape, and bring it to the size that is asked for
 * @param embedded       the guidance that a distilled network is told
 * @param methods        variants of guidance and other methods of experiments
 * @param inpainting     how the mask acts
 * @param hires          a second pass at a larger size; null for none
 */
public record GenerationRequest(String prompt, String negativePrompt, int width, int height, int steps,
                                float guidance, long seed, int images, Seeds seeds, SamplerSettings sampler,
                                SigmaSchedule schedule, float shift, int t5Length, boolean t5, SkipLayers skipLayers,
                                Picture init, double strength, Picture mask, Control control,
                                float guidanceRescale, List<Float> sigmas, TextOptions text,
                                MicroConditioning micro, boolean resolutionBinning, EmbeddedGuidance embedded,
                                Methods methods, Inpainting inpainting, Hires hires) {
    /** How the pictures of one request differ. */
    public enum Seeds {
        /** Picture i is the picture of seed + i, as A1111 and stable-diffusion.cpp count. */
        CONSECUTIVE,
        /** One draw of noise for the whole batch, as diffusers does with one generator. */
        ONE_DRAW
    }

    public GenerationRequest {
        if (steps < 1) {
            throw new InputException(steps + " steps are asked for; at least 1 is needed");
        }
        if (images < 1) {
            throw new InputException(images + " pictures are asked for; at least 1 is needed");
        }
        if (!Float.isFinite(guidance) || guidance < 0) {
            throw new InputException("the guidance scale is " + guidance + "; use 0 or more (1 for no guidance)");
        }
        if (!(guidanceRescale >= 0 && guidanceRescale <= 1)) {
            throw new InputException("the guidance rescale is " + guidanceRescale + "; use 0 (off) to 1");
        }
        if (guidanceRescale > 0 && methods.guiders().rescale() > 0) {
            throw new InputException("a guidance rescale of " + guidanceRescale + " and the guider rescale of "
                    + methods.guiders().rescale() + " are the same; leave one of the two out");
        }
        sigmas = List.copyOf(sigmas);
        if (!sigmas.isEmpty() && sigmas.size() != steps) {
            throw new InputException(sigmas.size() + " noise levels are given, but " + steps
                    + " steps are asked for; leave out one of the two");
        }
        if (!sigmas.isEmpty() && (schedule != null || !Float.isNaN(shift))) {
            throw new InputException("noise levels are given by hand, on which a schedule"
                    + " and a shift do not act; leave out one of the two");
        }
        if (mask != null && init == null) {
            throw new InputException("a mask needs a picture to start from; give an init image as well");
        }
        if (init != null && (init.width() != width || init.height() != height)) {
            throw new InputException("the init image is " + init.width() + "x" + init.height() + ", the picture "
                    + width + "x" + height + "; resize one of them");
        }
        if (mask != null && (mask.width() != width || mask.height() != height)) {
            throw new InputException("the mask is " + mask.width() + "x" + mask.height() + ", the picture " + width
                    + "x" + height + "; make them the same size");
        }
        if (control != null && (control.picture().width() != width || control.picture().height() != height)) {
            throw new InputException("the ControlNet's picture is " + control.picture().width() + "x"
                    + control.picture().height() + ", the picture " + width + "x" + height + "; resize one of them");
        }
        if (mask == null && !inpainting.equals(Inpainting.HARD)) {
            throw new InputException("soft edges, a fill and pasting are of a mask; give one as well");
        }
        if (hires != null && (hires.width() < width || hires.height() < height)) {
            throw new InputException("the second pass is to be " + hires.width() + "x" + hires.height()
                    + ", smaller than the first with " + width + "x" + height + "; make it larger");
        }
        if (hires != null && init != null) {
            throw new InputException("a second pass at a larger size is for pictures that are drawn from a prompt alone;"
                    + " leave out the init image, or enlarge that and draw at the larger size");
        }
        if (hires != null && hires.steps() > 0 && !sigmas.isEmpty()) {
            throw new InputException("noise levels are given by hand, for both passes; leave out the steps of the"
                    + " second one");
        }
    }

    /** The request without the second pass. */
    public GenerationRequest firstPass() {
        return hires == null ? this : toBuilder().hires(null).build();
    }

    /** Size of the picture that comes out. */
    public PixelSize finalSize() {
        if (inpainting.paste() != null) {
            return new PixelSize(inpainting.paste().under().width(), inpainting.paste().under().height());
        }
        return hires == null ? new PixelSize(width, height) : new PixelSize(hires.width(), hires.height());
    }

    /** The negative prompt, empty for none. */
    public String negativeText() {
        return negativePrompt == null ? "" : negativePrompt;
    }

    /** All texts that encoders may read: prompts, and with guidance negative ones. */
    public List<String> texts() {
        return Stream.of(prompt, text.prompt2(), guided() ? negativePrompt : null,
                guided() ? text.negativePrompt2() : null).filter(Objects::nonNull).toList();
    }

    /** Whether two predictions are made and combined. */
    public boolean guided() {
        return guidance > 1 && (negativePrompt != null || !embedded.needsNegative());
    }

    /** The share in which the result keeps the deviation of the prediction with the prompt; 0 for none. */
    public float rescale() {
        return guidanceRescale > 0 ? guidanceRescale : (float) methods.guiders().rescale();
    }

    public Builder toBuilder() {
        return new Builder(this);
    }

    /** A request under change; see {@link GenerationRequest} for the meanings. */
    public static final class Builder {
        private String prompt;
        private String negativePrompt;
        private int width;
        private int height;
        private int steps;
        private float guidance;
        private long seed;
        private int images;
        private Seeds seeds;
        private SamplerSettings sampler;
        private SigmaSchedule schedule;
        private float shift;
        private int t5Length;
        private boolean t5;
        private SkipLayers skipLayers;
        private Picture init;
        private double strength;
        private Picture mask;
        private Control control;
        private float guidanceRescale;
        private List<Float> sigmas;
        private TextOptions text;
        private MicroConditioning micro;
        private boolean resolutionBinning;
        private EmbeddedGuidance embedded;
        private Methods methods;
        private Inpainting inpainting;
        private Hires hires;

        private Builder(GenerationRequest r) {
            prompt = r.prompt;
            negativePrompt = r.negativePrompt;
            width = r.width;
            height = r.height;
            steps = r.steps;
            guidance = r.guidance;
            seed = r.seed;
            images = r.images;
            seeds = r.seeds;
            sampler = r.sampler;
            schedule = r.schedule;
            shift = r.shift;
            t5Length = r.t5Length;
            t5 = r.t5;
            skipLayers = r.skipLayers;
            init = r.init;
            strength = r.strength;
            mask = r.mask;
            control = r.control;
            guidanceRescale = r.guidanceRescale;
            sigmas = r.sigmas;
            text = r.text;
            micro = r.micro;
            resolutionBinning = r.resolutionBinning;
            embedded = r.embedded;
            methods = r.methods;
            inpainting = r.inpainting;
            hires = r.hires;
        }

        public Builder prompt(String value) {
            prompt = value;
            return this;
        }

        public Builder negativePrompt(String value) {
            negativePrompt = value;
            return this;
        }

        public Builder size(int newWidth, int newHeight) {
            width = newWidth;
            height = newHeight;
            return this;
        }

        public Builder steps(int value) {
            steps = value;
            return this;
        }

        public Builder guidance(float value) {
            guidance = value;
            return this;
        }

        public Builder seed(long value) {
            seed = value;
            return this;
        }

        public Builder images(int value) {
            images = value;
            return this;
        }

        public Builder seeds(Seeds value) {
            seeds = value;
            return this;
        }

        /** A sampler with what tools mean by its name. */
        public Builder sampler(Sampler.Kind value) {
            return sampler(value.settings());
        }

        public Builder sampler(SamplerSettings value) {
            sampler = value;
            return this;
        }

        public Builder schedule(SigmaSchedule value) {
            schedule = value;
            return this;
        }

        public Builder shift(float value) {
            shift = value;
            return this;
        }

        public Builder t5Length(int value) {
            t5Length = value;
            return this;
        }

        public Builder t5(boolean value) {
            t5 = value;
            return this;
        }

        public Builder skipLayers(SkipLayers value) {
            skipLayers = value;
            return this;
        }

        /** A picture to start from, and the share of the steps to run on it. */
        public Builder init(Picture picture, double newStrength) {
            init = picture;
            strength = newStrength;
            return this;
        }

        public Builder mask(Picture value) {
            mask = value;
            return this;
        }

        public Builder control(Control value) {
            control = value;
            return this;
        }

        /** The share in which guidance keeps the deviation of the prediction with the prompt. */
        public Builder guidanceRescale(float value) {
            guidanceRescale = value;
            return this;
        }

        /** Noise levels in place of steps, schedule and shift. */
        public Builder sigmas(List<Float> values) {
            sigmas = values;
            if (!values.isEmpty()) {
                steps = values.size();
                schedule = null;
                shift = Float.NaN;
            }
            return this;
        }

        public Builder text(TextOptions value) {
            text = value;
            return this;
        }

        public Builder micro(MicroConditioning value) {
            micro = value;
            return this;
        }

        /** Whether a size of the family's table is drawn, where it has one. */
        public Builder resolutionBinning(boolean value) {
            resolutionBinning = value;
            return this;
        }

        /**
         * The guidance scale that the network is told.
         *
         * @throws InputException when it is no number, or none that can be told
         */
        public Builder embeddedGuidance(float scale) {
            if (Float.isNaN(scale)) {
                throw new InputException("the embedded guidance is no number; use 0 to 1000 (3.5 is usual)");
            }
            return embedded(new EmbeddedGuidance(scale, embedded.needsNegative()));
        }

        /** Whether and what guidance scale the network is told. */
        public Builder embedded(EmbeddedGuidance value) {
            embedded = value;
            return this;
        }

        /** Variants of guidance and other methods of experiments. */
        public Builder methods(Methods value) {
            methods = value;
            return this;
        }

        /** The variants of guidance alone. */
        public Builder guiders(Guiders value) {
            return methods(methods.withGuiders(value));
        }

        public Builder inpainting(Inpainting value) {
            inpainting = value;
            return this;
        }

        public Builder hires(Hires value) {
            hires = value;
            return this;
        }

        public GenerationRequest build() {
            return new GenerationRequest(prompt, negativePrompt, width, height, steps, guidance, seed, images, seeds,
                    sampler, schedule, shift, t5Length, t5, skipLayers, init, strength, mask, control,
                    guidanceRescale, sigmas, text, micro, resolutionBinning, embedded, methods,
                    inpainting, hires);
        }
    }
}
