package jdiffusion.model.pipeline;

import java.util.List;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.ControlTraits;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserConfig;
import jdiffusion.model.family.Family;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Inpainting;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.family.Methods;
import jdiffusion.model.family.MicroConditioning;
import jdiffusion.model.family.PixelSize;
import jdiffusion.model.family.TextOptions;
import jdiffusion.model.family.Variant;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.sampling.Prediction;
import jdiffusion.model.sampling.Sigmas;
import jdiffusion.model.sampling.SkipLayers;
import jdiffusion.model.vae.Vae;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Weights;

/**
 * What is known of a model before anything is computed.
 *
 * @param variant   which of the family's published models it is
 * @param control   of its ControlNet; null without
 * @param defaults  a request with the checkpoint's wishes, and the family's where it has none
 */
record ModelInfo(ModelFiles files, Family family, Variant variant, DenoiserConfig denoiser, ControlTraits control,
                 LatentSpace latents, NoiseScheduler scheduler, GenerationRequest defaults) {
    private static final long DEFAULT_SEED = 42;
    private static final double DEFAULT_STRENGTH = 0.6;

    /**
     * All tensors of denoiser and VAE are looked at here, though not read: one that does not fit should not come to
     * light only when the stages before it have computed for minutes.
     */
    static ModelInfo of(ModelFiles files) {
        Family family = Families.of(files);
        DenoiserConfig denoiser;
        ControlTraits control;
        int sampleSize;
        try (ModelFiles.Open open = files.inspect(Component.DENOISER)) {
            Denoiser loaded = family.loadDenoiser(Weights.of(open.tensors(), Placement.onHost()), open.config());
            denoiser = loaded.config();
            control = loaded.control();
            sampleSize = family.sampleSize(open.config(), denoiser);
        }
        LatentSpace latents;
        try (ModelFiles.Open open = files.inspect(Component.VAE)) {
            latents = family.latents(Vae.load(Weights.of(open.tensors(), Placement.onHost()), open.config()).config());
        }
        family.checkFit(files, denoiser, latents);
        Variant variant = family.variant(files, denoiser);
        NoiseScheduler scheduler = files.scheduler();
        int size = variant.size() > 0 ? variant.size() : sampleSize * latents.factor();
        return new ModelInfo(files, family, variant, denoiser, control, latents, scheduler,
                defaults(files, family, variant, denoiser, control, scheduler, size));
    }

    /** The same with another scheduler. */
    ModelInfo with(NoiseScheduler other) {
        return new ModelInfo(files, family, variant, denoiser, control, latents, other,
                defaults.toBuilder().sampler(other.sampler()).schedule(other.schedule()).build());
    }

    private static GenerationRequest defaults(ModelFiles files, Family family, Variant variant,
                                              DenoiserConfig denoiser, ControlTraits control,
                                              NoiseScheduler scheduler, int size) {
        ConfigFile wishes = files.generationConfig();
        int steps = control == null ? variant.steps() : control.steps(variant.steps());
        return new GenerationRequest("", null, wishes.positiveInteger("width", size),
                wishes.positiveInteger("height", size),
                wishes.positiveInteger("num_inference_steps", steps), guidance(wishes, variant, control),
                DEFAULT_SEED, 1, GenerationRequest.Seeds.CONSECUTIVE,
                scheduler.sampler(), scheduler.schedule(), Float.NaN,
                wishes.positiveInteger("max_sequence_length", family.textTokens(variant), family.mostTextTokens()),
                files.has(Component.T5) || files.missing(Component.T5) != null, SkipLayers.OFF, null,
                DEFAULT_STRENGTH, null, null, 0, List.of(), TextOptions.DEFAULT, MicroConditioning.DEFAULT, true,
                family.embeddedGuidance(denoiser), Methods.NONE, Inpainting.HARD, null);
    }

    private static float guidance(ConfigFile wishes, Variant variant, ControlTraits control) {
        float usual = control == null ? variant.guidance() : control.guidance(variant.guidance());
        float value = (float) wishes.number("guidance_scale", usual);
        if (value < 0) {
            throw new InputException(wishes.origin() + ": guidance_scale is " + value
                    + "; use 0 or more (1 for no guidance)");
        }
        return value;
    }

    /** Whether the denoiser reads mask and masked picture beside the latents, as inpainting models do. */
    boolean readsMasked() {
        return denoiser.inChannels() > denoiser.outChannels();
    }

    /** Pixels of a patch of the denoiser. */
    int patch() {
        return latents.factor() * denoiser.patch();
    }

    /** The noise levels at which a request asks the denoiser. */
    Sigmas sigmas(GenerationRequest request) {
        NoiseScheduler own = Float.isNaN(request.shift()) ? scheduler : scheduler.withShift(request.shift());
        PixelSize drawn = SizeFit.of(this, request).drawn();
        int tokens = (drawn.width() / patch()) * (drawn.height() / patch());
        Sigmas steps = !request.sigmas().isEmpty() ? own.sigmas(request.sigmas())
                : request.schedule() == null ? own.sigmas(request.steps(), tokens)
                : own.sigmas(request.schedule(), request.steps(), tokens);
        return request.sampler().evaluations(steps, scheduler.prediction());
    }

    /** The same, from where a picture to start from lets it begin: diffusers' pipelines count in two ways. */
    Walk walk(GenerationRequest request) {
        Sigmas sigmas = sigmas(request);
        Prediction prediction = scheduler.prediction();
        int first = request.init() == null ? 0 : prediction.isFlow() ? sigmas.start(request.strength())
                : sigmas.startOfWhole(request.strength());
        return new Walk(sigmas, first, prediction);
    }
}
