package jdiffusion.model.flux;

import java.util.List;
import java.util.Map;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.sampling.FlowScheduler;
import jdiffusion.model.synthetic.ClipSizes;
import jdiffusion.model.synthetic.SyntheticKind;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.model.synthetic.T5Sizes;
import jdiffusion.model.synthetic.VaeSizes;

/** The published models whose shapes can be made. */
enum FluxSynthetic implements SyntheticKind {
    FLUX_DEV("flux-dev", true),
    FLUX_SCHNELL("flux-schnell", false);

    private static final int DEPTH = 19;
    private static final int SINGLES = 38;

    private final String label;
    private final boolean dev;

    FluxSynthetic(String label, boolean dev) {
        this.label = label;
        this.dev = dev;
    }

    @Override
    public String label() {
        return label;
    }

    @Override
    public SyntheticModel full() {
        Vocabularies v = Vocabularies.PUBLISHED;
        return of(new FluxSizes(DEPTH, SINGLES, 24, 128, dev, Flux.SAMPLE_SIZE, 4096, 768),
                new ClipSizes(v.clipL(), 768, 12, 3072, 12, 0, "quick_gelu"),
                new T5Sizes(v.t5(), 4096, 64, 64, 10240, 24),
                new VaeSizes(List.of(128, 256, 512, 512), 2, 1024, FluxSizes.CHANNELS, Flux.LATENT_SCALE,
                        Flux.LATENT_SHIFT));
    }

    @Override
    public SyntheticModel tiny(Vocabularies v) {
        return of(new FluxSizes(2, 2, 2, 32, dev, 8, 128, 32),
                new ClipSizes(v.clipL(), 32, 2, 64, 2, 0, "quick_gelu"), new T5Sizes(v.t5(), 128, 4, 32, 192, 2),
                new VaeSizes(List.of(32, 32, 64, 64), 1, 64, FluxSizes.CHANNELS, Flux.LATENT_SCALE,
                        Flux.LATENT_SHIFT));
    }

    private SyntheticModel of(FluxSizes denoiser, ClipSizes clip, T5Sizes t5, VaeSizes vae) {
        FlowScheduler scheduler = dev ? new Flux().scheduler() : Flux.schnellScheduler();
        return new SyntheticModel(new Flux(), Map.of(Component.DENOISER, denoiser, Component.CLIP_L, clip,
                Component.T5, t5, Component.VAE, vae), scheduler);
    }
}
