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
 * Makes orders of wishes, for all interfaces alike.
 *
 * @param loraFolder where LoRAs are that prompts name; null for none
 */
public record Orders(Shelf shelf, Path loraFolder, Limits limits) {
    /** A1111's clip skip of the layer that is read where nothing is said. */
    private static final int USUAL_SKIP = 2;
    private static final long RANDOM_SEEDS = 1L << 32;

    /**
     * Fills in what the client leaves open, and fails where the model cannot do what is asked.
     *
     * @throws InputException saying what is wrong; a {@link FieldException} where it is one field
     */
    public Order of(Wish wish) {
        if (wish.prompt == null) {
            throw new FieldException("prompt", "missing", "the prompt is missing");
        }
        limits.checkText("prompt", wish.prompt);
        limits.checkText("negative_prompt", wish.negativePrompt);
        limits.checkText("prompt_2", wish.prompt2);
        limits.checkText("negative_prompt_2", wish.negativePrompt2);
        ServedModel model = shelf.find(wish.model);
        List<String> notes = new ArrayList<>();
        List<Lora> loras = loras(wish);
        GenerationRequest defaults = model.request(LoraTags.without(wish.prompt));
        GenerationRequest.Builder builder = defaults.toBuilder().images(wish.images)
                .seed(wish.seed != null ? wish.seed : ThreadLocalRandom.current().nextLong(RANDOM_SEEDS));
        settings(wish, defaults, builder);
        size(wish, model, defaults, builder, notes::add);
        GenerationRequest request = pictures(wish, builder.build());
        limits.check(request);
        if (Long.compareUnsigned(request.seed() + request.images() - 1, request.seed()) < 0) {
            throw new FieldException("seed", "too_large", "the seeds of " + request.images() + " pictures from "
                    + Long.toUnsignedString(request.seed()) + " on are too large; use a smaller seed");
        }
        model.check(request);
        if (!loras.isEmpty()) {
            AdaptedFiles.of(model.files(), loras);
        }
        notes.addAll(0, wish.notes);
        notes.addAll(model.notes(request));
        return new Order(model, request, loras, wish.prompt, wish.init, wish.mask, List.copyOf(notes));
    }

    private List<Lora> loras(Wish wish) {
        try {
            return LoraTags.loras(wish.prompt, wish.negativePrompt, loraFolder);
        } catch (InputException e) {
            // Where the folder is, is no client's business.
            throw new FieldException("prompt", "lora", loraFolder == null ? e.getMessage()
                    : e.getMessage().replace(loraFolder + "/", "").replace(loraFolder.toString(), "the LoRAs' folder"));
        }
    }

    private static void settings(Wish wish, GenerationRequest defaults, GenerationRequest.Builder builder) {
        builder.negativePrompt(or(wish.negativePrompt, defaults.negativePrompt()))
                .steps(or(wish.steps, defaults.steps()))
                .guidanceRescale(or(wish.guidanceRescale, defaults.guidanceRescale()))
                .schedule(or(wish.schedule, defaults.schedule()))
                .t5Length(or(wish.t5Length, defaults.t5Length()));
        guidance(wish, defaults, builder);
        builder.resolutionBinning(or(wish.resolutionBinning, defaults.resolutionBinning()));
        SamplerSettings sampler = wish.sampler == null ? defaults.sampler() : wish.sampler.settings();
        builder.sampler(wish.eta == null ? sampler : sampler.withEta(wish.eta));
        if (wish.shift != null) {
            builder.shift(wish.shift);
        }
        if (wish.sigmas != null) {
            if (wish.steps != null || wish.schedule != null || wish.shift != null) {
                throw new FieldException("sigmas", "contradiction", "sigmas give every noise level, on which steps, a"
                        + " schedule and a shift do not act; leave those out");
            }
            builder.sigmas(wish.sigmas);
        }
        if (Boolean.FALSE.equals(wish.t5)) {
            builder.t5(false);
        }
        builder.text(new TextOptions(wish.prompt2, wish.negativePrompt2,
                wish.clipSkip == null ? 0 : Math.max(0, wish.clipSkip - USUAL_SKIP),
                or(wish.cleanCaption, defaults.text().cleanCaption())));
        SkipLayers skip = defaults.skipLayers();
        builder.skipLayers(new SkipLayers(or(wish.skipLayers, skip.layers()), or(wish.skipLayersScale, skip.scale()),
                or(wish.skipLayersStart, skip.start()), or(wish.skipLayersEnd, skip.stop())));
    }

    private static void guidance(Wish wish, GenerationRequest defaults, GenerationRequest.Builder builder) {
        boolean told = defaults.embedded().isThere();
        builder.guidance(or(wish.guidance, told ? defaults.guidance()
                : or(wish.guidanceScale, defaults.guidance())));
        Float embedded = or(wish.embeddedGuidance, wish.guidanceScale);
        if (told && embedded != null) {
            builder.embeddedGuidance(embedded);
        } else if (wish.embeddedGuidance != null) {
            wish.notes.add("the embedded guidance changes nothing: this network is told none");
        }
    }

    /** The size that is asked for, else that of the picture to start from, else the model's. */
    private void size(Wish wish, ServedModel model, GenerationRequest defaults, GenerationRequest.Builder builder,
                      Consumer<String> notes) {
        ImageSize sizes = model.sizes();
        boolean ofInit = wish.init != null && wish.width == null && wish.height == null;
        int width = ofInit ? wish.init.width() : or(wish.width, defaults.width());
        int height = ofInit ? wish.init.height() : or(wish.height, defaults.height());
        if (width < 1 || height < 1) {
            throw new FieldException("size", "invalid_size", "a picture of " + width + "x" + height
                    + " is none; give a width and a height");
        }
        int w = below(width, sizes);
        int h = below(height, sizes);
        if (w != width || h != height) {
            if (!ofInit && wish.sizes == Wish.Sizes.REFUSED) {
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

    private static GenerationRequest pictures(Wish wish, GenerationRequest request) {
        if (wish.init == null) {
            if (wish.mask != null) {
                throw new FieldException("mask", "contradiction", "a mask needs a picture to start from");
            }
            return request;
        }
        double strength = or(wish.strength, request.strength());
        if (!(strength > 0 && strength <= 1)) {
            throw new FieldException("strength", "invalid_value", "the strength is " + strength
                    + "; use more than 0, up to 1");
        }
        boolean cut = wish.shape == Wish.Shape.CUT;
        GenerationRequest.Builder builder = request.toBuilder()
                .init(sized(wish.init, cut, request), strength);
        if (wish.mask != null) {
            builder.mask(sized(wish.mask, cut, request));
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
