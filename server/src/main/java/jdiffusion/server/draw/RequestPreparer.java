package jdiffusion.server.draw;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import jdiffusion.model.adapter.AdaptedFiles;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.adapter.LoraTags;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.ImageSize;
import jdiffusion.model.family.TextOptions;
import jdiffusion.model.image.Picture;
import jdiffusion.model.sampling.SamplerSettings;
import jdiffusion.model.sampling.SkipLayers;
import jdiffusion.tensor.InputException;

/**
 * Makes checked requests of what clients ask for, for all interfaces alike.
 *
 * @param loraFolder where LoRAs are that prompts name; null for none
 */
public record RequestPreparer(ServedModels servedModels, Path loraFolder, Limits limits) {
    /** A1111's clip skip of the layer that is read where nothing is said. */
    private static final int USUAL_SKIP = 2;
    private static final long RANDOM_SEEDS = 1L << 32;

    /**
     * Fills in what the client leaves open, and fails where the model cannot do what is asked.
     *
     * @throws InputException saying what is wrong; a {@link FieldException} where it is one field
     */
    public PreparedRequest of(PictureFields asked) {
        if (asked.prompt == null) {
            throw new FieldException("prompt", "missing", "the prompt is missing");
        }
        limits.checkText("prompt", asked.prompt);
        limits.checkText("negative_prompt", asked.negativePrompt);
        limits.checkText("prompt_2", asked.prompt2);
        limits.checkText("negative_prompt_2", asked.negativePrompt2);
        ServedModel model = servedModels.find(asked.model);
        List<String> notes = new ArrayList<>();
        List<Lora> loras = loras(asked);
        GenerationRequest defaults = model.request(LoraTags.without(asked.prompt));
        GenerationRequest.Builder builder = defaults.toBuilder().images(asked.images)
                .seed(asked.seed != null ? asked.seed : ThreadLocalRandom.current().nextLong(RANDOM_SEEDS));
        settings(asked, defaults, builder);
        size(asked, model, defaults, builder, notes::add);
        GenerationRequest request = pictures(asked, builder.build());
        limits.check(request);
        if (Long.compareUnsigned(request.seed() + request.images() - 1, request.seed()) < 0) {
            throw new FieldException("seed", "too_large", "the seeds of " + request.images() + " pictures from "
                    + Long.toUnsignedString(request.seed()) + " on are too large; use a smaller seed");
        }
        model.check(request);
        if (!loras.isEmpty()) {
            AdaptedFiles.of(model.files(), loras);
        }
        notes.addAll(0, asked.notes);
        notes.addAll(model.notes(request));
        return new PreparedRequest(model, request, loras, asked.prompt, asked.init, asked.mask, List.copyOf(notes));
    }

    private List<Lora> loras(PictureFields asked) {
        try {
            return LoraTags.loras(asked.prompt, asked.negativePrompt, loraFolder);
        } catch (InputException e) {
            // Where the folder is, is no client's business.
            throw new FieldException("prompt", "lora", loraFolder == null ? e.getMessage()
                    : e.getMessage().replace(loraFolder + "/", "").replace(loraFolder.toString(), "the LoRAs' folder"));
        }
    }

    private static void settings(PictureFields asked, GenerationRequest defaults, GenerationRequest.Builder builder) {
        builder.negativePrompt(or(asked.negativePrompt, defaults.negativePrompt()))
                .steps(or(asked.steps, defaults.steps()))
                .guidanceRescale(or(asked.guidanceRescale, defaults.guidanceRescale()))
                .schedule(or(asked.schedule, defaults.schedule()))
                .t5Length(or(asked.t5Length, defaults.t5Length()));
        guidance(asked, defaults, builder);
        builder.resolutionBinning(or(asked.resolutionBinning, defaults.resolutionBinning()));
        SamplerSettings sampler = asked.sampler == null ? defaults.sampler() : asked.sampler.settings();
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
        if (Boolean.FALSE.equals(asked.t5)) {
            builder.t5(false);
        }
        builder.text(new TextOptions(asked.prompt2, asked.negativePrompt2,
                asked.clipSkip == null ? 0 : Math.max(0, asked.clipSkip - USUAL_SKIP),
                or(asked.cleanCaption, defaults.text().cleanCaption())));
        SkipLayers skip = defaults.skipLayers();
        builder.skipLayers(new SkipLayers(or(asked.skipLayers, skip.layers()), or(asked.skipLayersScale, skip.scale()),
                or(asked.skipLayersStart, skip.start()), or(asked.skipLayersEnd, skip.stop())));
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
    private void size(PictureFields asked, ServedModel model, GenerationRequest defaults, GenerationRequest.Builder builder,
                      Consumer<String> notes) {
        ImageSize sizes = model.sizes();
        boolean ofInit = asked.init != null && asked.width == null && asked.height == null;
        int width = ofInit ? asked.init.width() : or(asked.width, defaults.width());
        int height = ofInit ? asked.init.height() : or(asked.height, defaults.height());
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
        limits.checkSize(w, h);
        builder.size(w, h);
    }

    private static int below(int side, ImageSize sizes) {
        return Math.clamp(side / sizes.multiple() * sizes.multiple(), sizes.multiple(),
                sizes.largest() / sizes.multiple() * sizes.multiple());
    }

    private static GenerationRequest pictures(PictureFields asked, GenerationRequest request) {
        if (asked.init == null) {
            if (asked.mask != null) {
                throw new FieldException("mask", "contradiction", "a mask needs a picture to start from");
            }
            return request;
        }
        double strength = or(asked.strength, request.strength());
        if (!(strength > 0 && strength <= 1)) {
            throw new FieldException("strength", "invalid_value", "the strength is " + strength
                    + "; use more than 0, up to 1");
        }
        boolean cut = asked.shape == PictureFields.Shape.CUT;
        GenerationRequest.Builder builder = request.toBuilder()
                .init(sized(asked.init, cut, request), strength);
        if (asked.mask != null) {
            builder.mask(sized(asked.mask, cut, request));
        }
        return builder.build();
    }

    private static Picture sized(Picture picture, boolean cut, GenerationRequest request) {
        return cut ? picture.fitted(request.width(), request.height())
                : picture.resized(request.width(), request.height());
    }

    private static <T> T or(T value, T otherwise) {
        return value == null ? otherwise : value;
    }
}
