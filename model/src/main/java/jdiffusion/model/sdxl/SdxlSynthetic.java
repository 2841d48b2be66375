package jdiffusion.model.sdxl;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.sampling.DiscreteScheduler;
import jdiffusion.model.sampling.EdmScheduler;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.synthetic.ClipSizes;
import jdiffusion.model.synthetic.NetworkSizes;
import jdiffusion.model.synthetic.SyntheticKind;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.model.synthetic.VaeSizes;

/** The published models whose shapes can be made. */
enum SdxlSynthetic implements SyntheticKind {
    SDXL("sdxl", new Sdxl().scheduler(), 4),
    SDXL_TURBO("sdxl-turbo", DiscreteScheduler.turbo(), 4),
    SDXL_INPAINTING("sdxl-inpainting", new Sdxl().scheduler(), 9),
    PLAYGROUND("playground-v2.5", EdmScheduler.playground(), 4),
    /** Has no CLIP-L. */
    SDXL_REFINER("sdxl-refiner", new Sdxl().scheduler(), 4);

    /** Playground's autoencoder is SDXL's; its latents have a mean and a deviation for each channel. */
    private static final double PLAYGROUND_SCALE = 0.5;
    private static final List<Double> PLAYGROUND_MEANS = List.of(-1.6574, 1.886, -1.383, 2.5155);
    private static final List<Double> PLAYGROUND_DEVIATIONS = List.of(8.4927, 5.9022, 6.5498, 5.2299);

    private final String label;
    private final NoiseScheduler scheduler;
    private final int inChannels;

    SdxlSynthetic(String label, NoiseScheduler scheduler, int inChannels) {
        this.label = label;
        this.scheduler = scheduler;
        this.inChannels = inChannels;
    }

    @Override
    public String label() {
        return label;
    }

    @Override
    public SyntheticModel full() {
        Vocabularies v = Vocabularies.PUBLISHED;
        int side = this == SDXL_TURBO ? Sdxl.TURBO.size() / 8 : Sdxl.SAMPLE_SIZE;
        UnetSizes unet = this == SDXL_REFINER
                ? new UnetSizes(inChannels, List.of(384, 768, 1536, 1536), List.of(0, 4, 4, 0), 4, 2, 1280, 1280, 5,
                        256, side)
                : new UnetSizes(inChannels, List.of(320, 640, 1280), List.of(0, 2, 10), 10, 2, 2048, 1280, 6, 256,
                        side);
        return of(unet, new ClipSizes(v.clipL(), 768, 12, 3072, 12, 0, "quick_gelu"),
                new ClipSizes(v.clipG(), 1280, 20, 5120, 32, 1280, "gelu"),
                vae(List.of(128, 256, 512, 512), 2, Sdxl.SAMPLE_SIZE));
    }

    @Override
    public SyntheticModel tiny(Vocabularies v) {
        UnetSizes unet = this == SDXL_REFINER
                ? new UnetSizes(inChannels, List.of(64, 128, 192, 192), List.of(0, 1, 1, 0), 1, 1, 64, 32, 5, 16, 8)
                : new UnetSizes(inChannels, List.of(64, 128, 192), List.of(0, 1, 2), 2, 1, 96, 32, 6, 16, 8);
        return of(unet, new ClipSizes(v.clipL(), 32, 2, 64, 2, 0, "quick_gelu"),
                new ClipSizes(v.clipG(), 64, 2, 128, 2, 32, "gelu"),
                vae(List.of(32, 32, 64, 64), 1, 64));
    }

    private VaeSizes vae(List<Integer> channels, int layers, int sampleSize) {
        return this == PLAYGROUND
                ? new VaeSizes(channels, layers, sampleSize, UnetSizes.CHANNELS, PLAYGROUND_SCALE, 0, true,
                        PLAYGROUND_MEANS, PLAYGROUND_DEVIATIONS)
                : new VaeSizes(channels, layers, sampleSize, UnetSizes.CHANNELS, Sdxl.LATENT_SCALE, 0, true);
    }

    private SyntheticModel of(UnetSizes unet, ClipSizes clipL, ClipSizes clipG, VaeSizes vae) {
        Map<Component, NetworkSizes> parts = new EnumMap<>(Map.of(Component.DENOISER, unet, Component.CLIP_L, clipL,
                Component.CLIP_G, clipG, Component.VAE, vae));
        if (this == SDXL_REFINER) {
            parts.remove(Component.CLIP_L);
        }
        return new SyntheticModel(new Sdxl(), parts, scheduler);
    }
}
