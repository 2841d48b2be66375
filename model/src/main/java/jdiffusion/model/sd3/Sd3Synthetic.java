package jdiffusion.model.sd3;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.synthetic.ClipSizes;
import jdiffusion.model.synthetic.NetworkSizes;
import jdiffusion.model.synthetic.SyntheticKind;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.model.synthetic.T5Sizes;
import jdiffusion.model.synthetic.VaeSizes;

/** The published models whose shapes can be made. */
enum Sd3Synthetic implements SyntheticKind {
    SD3_MEDIUM(new MmditSizes(24, 24, 0, false, 192, 128, 4096, 2048),
            new MmditSizes(2, 2, 0, false, 12, 8, 128, 64)),
    SD35_MEDIUM(new MmditSizes(24, 24, 13, true, 384, 128, 4096, 2048),
            new MmditSizes(2, 2, 1, true, 12, 8, 128, 64)),
    /** The tiny one's width is no multiple of 128, as the published one's is none of 256. */
    SD35_LARGE(new MmditSizes(38, 38, 0, true, 192, 128, 4096, 2048),
            new MmditSizes(3, 3, 0, true, 12, 8, 128, 64));

    private static final int CHANNELS = 16;

    private final MmditSizes full;
    private final MmditSizes tiny;

    Sd3Synthetic(MmditSizes full, MmditSizes tiny) {
        this.full = full;
        this.tiny = tiny;
    }

    @Override
    public String label() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    @Override
    public SyntheticModel full() {
        Vocabularies v = Vocabularies.PUBLISHED;
        return of(full, new ClipSizes(v.clipL(), 768, 12, 3072, 12, 768, "quick_gelu"),
                new ClipSizes(v.clipG(), 1280, 20, 5120, 32, 1280, "gelu"),
                new T5Sizes(v.t5(), 4096, 64, 64, 10240, 24),
                new VaeSizes(List.of(128, 256, 512, 512), 2, 1024, CHANNELS,
                Sd3.LATENT_SCALE, Sd3.LATENT_SHIFT));
    }

    @Override
    public SyntheticModel tiny(Vocabularies v) {
        return of(tiny, new ClipSizes(v.clipL(), 32, 2, 64, 2, 32, "quick_gelu"),
                new ClipSizes(v.clipG(), 64, 2, 128, 2, 32, "gelu"), new T5Sizes(v.t5(), 128, 4, 32, 192, 2),
                new VaeSizes(List.of(32, 32, 64, 64), 1, 64, CHANNELS, Sd3.LATENT_SCALE, Sd3.LATENT_SHIFT));
    }

    private static SyntheticModel of(MmditSizes denoiser, NetworkSizes clipL, NetworkSizes clipG, NetworkSizes t5,
                                     NetworkSizes vae) {
        Sd3 family = new Sd3();
        return new SyntheticModel(family, Map.of(Component.DENOISER, denoiser, Component.CLIP_L, clipL,
                Component.CLIP_G, clipG, Component.T5, t5, Component.VAE, vae), family.scheduler());
    }
}
