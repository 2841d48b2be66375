package jdiffusion.model.pixart;

import java.util.List;
import java.util.Map;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.synthetic.SyntheticKind;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.model.synthetic.T5Sizes;
import jdiffusion.model.synthetic.VaeSizes;

/** The published model whose shapes can be made; those for other sizes of pictures have the same. */
enum PixartSynthetic implements SyntheticKind {
    PIXART_SIGMA;

    /** Side of the tiny model's latents, the smallest for which sizes of pictures are known. */
    private static final int TINY_SIDE = 32;

    @Override
    public String label() {
        return "pixart-sigma";
    }

    @Override
    public SyntheticModel full() {
        return of(new DitSizes(28, 16, DitConfig.USUAL_SIDE, 4096),
                new T5Sizes(Vocabularies.PUBLISHED.t5(), 4096, 64, 64, 10240, 24),
                new VaeSizes(List.of(128, 256, 512, 512), 2, 1024, DitSizes.CHANNELS, Pixart.LATENT_SCALE, 0, true));
    }

    @Override
    public SyntheticModel tiny(Vocabularies v) {
        return of(new DitSizes(3, 2, TINY_SIDE, 128), new T5Sizes(v.t5(), 128, 4, 32, 192, 2),
                new VaeSizes(List.of(32, 32, 64, 64), 1, 64, DitSizes.CHANNELS, Pixart.LATENT_SCALE, 0, true));
    }

    private static SyntheticModel of(DitSizes denoiser, T5Sizes t5, VaeSizes vae) {
        Pixart family = new Pixart();
        return new SyntheticModel(family, Map.of(Component.DENOISER, denoiser, Component.T5, t5, Component.VAE, vae),
                family.scheduler());
    }
}
