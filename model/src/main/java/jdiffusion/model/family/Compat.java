package jdiffusion.model.family;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import jdiffusion.model.sampling.NoiseSource;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.model.sampling.SkipLayers;
import jdiffusion.tensor.InputException;

/**
 * Other programs' usual settings, as far as they are known from their public sources, so that a seed means the same
 * here. What the user says comes before all of them.
 */
public enum Compat {
    /** diffusers' pipelines with one generator on the CPU; a model's files say its schedule. */
    DIFFUSERS("diffusers", NoiseSource.CPU, GenerationRequest.Seeds.ONE_DRAW, 256, null, null, 2.8f, 0.2f, 0),
    /** ComfyUI; its users choose sampler and scheduler. */
    COMFYUI("comfyui", NoiseSource.CPU, GenerationRequest.Seeds.ONE_DRAW, 77, null, null, 3, 0.15f, 0),
    /** stable-diffusion.cpp with its default of {@code --rng cuda}. */
    SDCPP("sdcpp", NoiseSource.PHILOX, GenerationRequest.Seeds.CONSECUTIVE, 77, null, SigmaSchedule.DISCRETE,
            SkipLayers.OFF.scale(), 0.2f, 1),
    /** Stability's reference code for SD3 and SD3.5. */
    REFERENCE("reference", NoiseSource.CPU, GenerationRequest.Seeds.CONSECUTIVE, 77, Sampler.Kind.DPMPP_2M,
            SigmaSchedule.NORMAL, 2.5f, 0.2f, 0);

    private static final String SD3 = "SD3";
    private static final String SDXL = "SDXL";
    private static final float SKIP_START = 0.01f;

    private final String label;
    private final NoiseSource noise;
    private final GenerationRequest.Seeds seeds;
    private final int t5Length;
    private final Sampler.Kind sampler;
    private final SigmaSchedule schedule;
    private final float skipScale;
    private final float skipStop;
    private final int firstStep;

    /**
     * @param t5Length  tokens for SD3's T5
     * @param sampler   null for the model's own
     * @param schedule  of flows with a static shift; null for the model's own
     * @param skipScale of skip-layer guidance
     * @param skipStop  share of the steps before which it ends
     * @param firstStep the number of the first step where it is counted
     */
    Compat(String label, NoiseSource noise, GenerationRequest.Seeds seeds, int t5Length, Sampler.Kind sampler,
           SigmaSchedule schedule, float skipScale, float skipStop, int firstStep) {
        this.label = label;
        this.noise = noise;
        this.seeds = seeds;
        this.t5Length = t5Length;
        this.sampler = sampler;
        this.schedule = schedule;
        this.skipScale = skipScale;
        this.skipStop = skipStop;
        this.firstStep = firstStep;
    }

    public String label() {
        return label;
    }

    /** How pictures of a batch differ. */
    public GenerationRequest.Seeds seeds() {
        return seeds;
    }

    /** How skip-layer guidance counts the first step. */
    public int firstStep() {
        return firstStep;
    }

    /** @throws InputException when there is none of that name */
    public static Compat of(String name, String label) {
        for (Compat compat : values()) {
            if (compat.label.equalsIgnoreCase(label)) {
                return compat;
            }
        }
        throw new InputException(name + " is '" + InputException.shown(label) + "'; use one of "
                + Arrays.stream(values()).map(Compat::label).collect(Collectors.joining(", ")));
    }

    /** A model's defaults as this program has them. */
    public GenerationRequest over(GenerationRequest defaults, Family family) {
        GenerationRequest.Builder request = defaults.toBuilder().seeds(seeds)
                .methods(defaults.methods().withNoise(noise).withCompat(this))
                .skipLayers(new SkipLayers(defaults.skipLayers().layers(), skipScale, SKIP_START, skipStop));
        if (SD3.equals(family.label())) {
            request.t5Length(t5Length);
            if (schedule != null) {
                request.schedule(schedule);
            }
            if (sampler != null) {
                request.sampler(sampler);
            }
        }
        if (this == COMFYUI && defaults.negativePrompt() == null && SDXL.equals(family.label())) {
            request.negativePrompt("");
        }
        return request.build();
    }

    /** A whole request: what an empty negative prompt stands for. */
    public GenerationRequest settled(GenerationRequest request, Family family) {
        return this == SDCPP && "".equals(request.negativePrompt()) && SDXL.equals(family.label())
                ? request.toBuilder().negativePrompt(null).build() : request;
    }

    /** What of the program is not known here, or cannot be had, each in a line. */
    public List<String> notes(GenerationRequest request, Family family) {
        List<String> notes = new ArrayList<>();
        if (!SD3.equals(family.label())) {
            notes.add("--compat " + label + " knows noise and seeds for all families; text lengths and schedules are"
                    + " known for SD3 alone, so those are the model's own");
        }
        switch (this) {
            case DIFFUSERS -> { }
            case COMFYUI -> {
                notes.add("ComfyUI has no default sampler and scheduler: give those of the workflow; where nothing is"
                        + " said, they are the model's own. Its T5 reads as many tokens as the prompt has, at least"
                        + " 77: for a longer prompt give --t5-length");
                if (!request.skipLayers().layers().isEmpty()) {
                    notes.add("ComfyUI counts the part of skip-layer guidance by noise levels in a way that is not"
                            + " known here; here it is the share of steps");
                }
            }
            case SDCPP -> {
                notes.add("stable-diffusion.cpp reads prompts in chunks of 77 tokens with weights in brackets: add"
                        + " --weights a1111 for those; its rounding to half precision is not followed");
                if (!request.skipLayers().layers().isEmpty()) {
                    notes.add("stable-diffusion.cpp has no usual scale of skip-layer guidance; it is "
                            + request.skipLayers().scale() + " here");
                }
            }
            case REFERENCE -> {
                if (request.images() > 1) {
                    notes.add("Stability's reference draws prompts one by one; further pictures have seeds counting"
                            + " up here");
                }
                if (!request.negativeText().isEmpty()) {
                    notes.add("Stability's reference has no negative prompt; it always steers away from an empty one");
                }
            }
        }
        return notes;
    }
}
