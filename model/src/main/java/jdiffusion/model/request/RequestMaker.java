package jdiffusion.model.request;

import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.ImageSize;
import jdiffusion.model.family.MicroConditioning;
import jdiffusion.model.family.PixelSize;
import jdiffusion.model.family.TextOptions;
import jdiffusion.model.sampling.SamplerSettings;
import jdiffusion.model.sampling.SkipLayers;

/** Makes requests of {@link PictureFields}: what they leave open comes from the model's defaults. */
public final class RequestMaker {
    private static final long RANDOM_SEEDS = 1L << 32;

    private RequestMaker() {
    }

    /**
     * The request without its pictures. A field that contradicts another one is a {@link FieldException}; what the
     * model cannot draw is left for it to say.
     *
     * @param defaults the model's request, with the prompt
     * @param sizes    that the model can draw
     * @param notes    told of a size that had to change
     */
    public static GenerationRequest settings(PictureFields asked, GenerationRequest defaults, ImageSize sizes,
                                             Consumer<String> notes) {
        GenerationRequest.Builder builder = defaults.toBuilder().images(asked.images)
                .seed(asked.seed != null ? asked.seed : ThreadLocalRandom.current().nextLong(RANDOM_SEEDS))
                .negativePrompt(or(asked.negativePrompt, defaults.negativePrompt()))
                .guidanceRescale(or(asked.guidanceRescale, defaults.guidanceRescale()))
                .t5Length(or(asked.t5Length, defaults.t5Length()))
                .resolutionBinning(or(asked.resolutionBinning, defaults.resolutionBinning()));
        guidance(asked, defaults, builder);
        sampling(asked, defaults, builder);
        text(asked, defaults, builder);
        SkipLayers skip = defaults.skipLayers();
        builder.skipLayers(new SkipLayers(or(asked.skipLayers, skip.layers()), or(asked.skipLayersScale, skip.scale()),
                or(asked.skipLayersStart, skip.start()), or(asked.skipLayersEnd, skip.stop())));
        builder.methods(MethodText.methods(asked, defaults.methods(), ""));
        size(asked, defaults, sizes, builder, notes);
        GenerationRequest request = builder.build();
        if (Long.compareUnsigned(request.seed() + request.images() - 1, request.seed()) < 0) {
            throw new FieldException("seed", "too_large", "the seeds of " + request.images() + " pictures from "
                    + Long.toUnsignedString(request.seed()) + " on are too large; use a smaller seed");
        }
        return request;
    }

    private static void sampling(PictureFields asked, GenerationRequest defaults, GenerationRequest.Builder builder) {
        builder.steps(or(asked.steps, defaults.steps())).schedule(or(asked.schedule, defaults.schedule()));
        boolean own = asked.sampler == null
                || asked.samplerOfModel && asked.sampler == defaults.sampler().kind();
        SamplerSettings sampler = own ? defaults.sampler() : asked.sampler.settings();
        builder.sampler(asked.eta == null ? sampler : sampler.withEta(asked.eta));
        if (asked.shift != null) {
            builder.shift(asked.shift);
        }
        if (asked.sigmas != null) {
            if (asked.steps != null || asked.schedule != null || asked.shift != null) {
                throw new FieldException("sigmas", "contradiction", "sigmas give every noise level, on which steps, a"
                        + " schedule and a shift do not act; leave those out");
            }
            builder.sigmas(asked.sigmas);
        }
    }

    private static void text(PictureFields asked, GenerationRequest defaults, GenerationRequest.Builder builder) {
        if (Boolean.FALSE.equals(asked.t5)) {
            builder.t5(false);
        }
        builder.text(new TextOptions(asked.prompt2, asked.negativePrompt2,
                asked.clipSkip == null ? 0 : Math.max(0, asked.clipSkip - ConditioningText.USUAL_SKIP),
                or(asked.cleanCaption, defaults.text().cleanCaption())));
        MicroConditioning micro = defaults.micro();
        builder.micro(new MicroConditioning(or(asked.originalSize, micro.original()), or(asked.crop, micro.crop()),
                or(asked.targetSize, micro.target()), or(asked.negativeOriginalSize, micro.negativeOriginal()),
                or(asked.negativeCrop, micro.negativeCrop()), or(asked.negativeTargetSize, micro.negativeTarget()),
                or(asked.aestheticScore, micro.aesthetic()),
                or(asked.negativeAestheticScore, micro.negativeAesthetic())));
    }

    private static void guidance(PictureFields asked, GenerationRequest defaults, GenerationRequest.Builder builder) {
        boolean told = defaults.embedded().isThere();
        builder.guidance(or(asked.guidance, told ? defaults.guidance()
                : or(asked.guidanceScale, defaults.guidance())));
        Float embedded = or(asked.embeddedGuidance, asked.guidanceScale);
        if (told && embedded != null) {
            builder.embeddedGuidance(embedded);
        } else if (asked.embeddedGuidance != null) {
            asked.notes.add("the embedded guidance changes nothing: this network is told none");
        }
    }

    /** The size that is asked for, else that of the picture to start from, else the model's. */
    private static void size(PictureFields asked, GenerationRequest defaults, ImageSize sizes,
                             GenerationRequest.Builder builder, Consumer<String> notes) {
        PixelSize init = asked.init == null || asked.width != null || asked.height != null ? null
                : asked.inpaint.size(asked.init);
        boolean ofInit = init != null;
        int width = ofInit ? init.width() : or(asked.width, defaults.width());
        int height = ofInit ? init.height() : or(asked.height, defaults.height());
        if (asked.init != null) {
            asked.inpaint.checkSize(asked.init, width, height, sizes.multiple());
        }
        if (width < 1 || height < 1) {
            throw new FieldException("size", "invalid_size", "a picture of " + width + "x" + height
                    + " is none; give a width and a height");
        }
        int w = below(width, sizes);
        int h = below(height, sizes);
        if (w != width || h != height) {
            if (!ofInit && asked.sizes == PictureFields.Sizes.REFUSED) {
                int widerBy = w == width ? 0 : sizes.multiple();
                int higherBy = h == height ? 0 : sizes.multiple();
                boolean more = w + widerBy <= sizes.largest() && h + higherBy <= sizes.largest() && w <= width
                        && h <= height;
                throw new FieldException("size", "invalid_size", "this model cannot draw " + width + "x" + height
                        + "; the nearest " + (more ? "sizes that it can are " + w + "x" + h + " and " + (w + widerBy)
                        + "x" + (h + higherBy) : "size that it can is " + w + "x" + h));
            }
            notes.accept((ofInit ? "the picture to start from is " : "asked for was ") + width + "x" + height
                    + "; drawn is " + w + "x" + h + ", the next size in multiples of " + sizes.multiple());
        }
        builder.size(w, h);
    }

    private static int below(int side, ImageSize sizes) {
        return Math.clamp(side / sizes.multiple() * sizes.multiple(), sizes.multiple(),
                sizes.largest() / sizes.multiple() * sizes.multiple());
    }

    /**
     * The request with its second pass, if there is to be one.
     *
     * @param multiple of which the model draws sizes
     * @param notes    told of a size that had to change
     */
    public static GenerationRequest secondPass(PictureFields asked, GenerationRequest request, int multiple,
                                               Consumer<String> notes) {
        return asked.hires.addTo(request, multiple, asked.sizes == PictureFields.Sizes.ROUNDED_DOWN, notes);
    }

    /** The request with the pictures that it starts from, resampled to its size. */
    public static GenerationRequest pictures(PictureFields asked, GenerationRequest request) {
        InpaintSettings inpaint = asked.inpaint.settings();
        if (asked.init == null) {
            if (asked.mask != null || asked.inpaint.border != null) {
                throw new FieldException(asked.mask != null ? "mask" : "outpaint", "contradiction", "a mask and a border"
                        + " need a picture to start from");
            }
            return request;
        }
        double strength = or(asked.strength, inpaint.strength(request));
        if (!(strength > 0 && strength <= 1)) {
            throw new FieldException("strength", "invalid_value", "the strength is " + strength
                    + "; use more than 0, up to 1");
        }
        boolean cut = asked.shape == PictureFields.Shape.CUT;
        return inpaint.addTo(request, asked.init, asked.mask, cut, strength);
    }

    private static <T> T or(T value, T otherwise) {
        return value == null ? otherwise : value;
    }
}
