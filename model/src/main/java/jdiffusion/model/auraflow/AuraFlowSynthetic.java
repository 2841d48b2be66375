package jdiffusion.model.auraflow;

import java.util.List;
import java.util.Map;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.synthetic.NetworkSizes;
import jdiffusion.model.synthetic.SyntheticKind;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.model.synthetic.T5Sizes;
import jdiffusion.model.synthetic.VaeSizes;

/** The published model whose shapes can be made. */
enum AuraFlowSynthetic implements SyntheticKind {
    AURAFLOW;

    private static final int SAMPLE_SIZE = 1024;

    @Override
    public String label() {
        return "auraflow";
    }

    @Override
    public SyntheticModel full() {
        return of(new AuraFlowSizes(4, 32, 12, AuraFlowConfig.USUAL_HEAD, 64, 2048),
                new T5Sizes(Vocabularies.PUBLISHED.t5(), 2048, 32, 64, 5120, 24, true),
                vae(List.of(128, 256, 512, 512), 2, SAMPLE_SIZE));
    }

    @Override
    public SyntheticModel tiny(Vocabularies v) {
        return of(new AuraFlowSizes(2, 2, 2, 48, 12, 64), new T5Sizes(v.t5(), 64, 4, 16, 96, 2, true),
                vae(List.of(32, 32, 64, 64), 1, 64));
    }

    private static VaeSizes vae(List<Integer> channels, int layers, int sampleSize) {
        return new VaeSizes(channels, layers, sampleSize, AuraFlowSizes.CHANNELS, AuraFlow.LATENT_SCALE, 0, true);
    }

    private static SyntheticModel of(NetworkSizes denoiser, NetworkSizes t5, NetworkSizes vae) {
        AuraFlow family = new AuraFlow();
        return new SyntheticModel(family,
                Map.of(Component.DENOISER, denoiser, Component.T5, t5, Component.VAE, vae), family.scheduler());
    }
}
