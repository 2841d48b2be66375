package jdiffusion.model.mmdit;

import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.model.nn.Linear;
import jdiffusion.model.nn.Mlp;
import jdiffusion.tensor.Weights;

/** The vector that conditions every block: an MLP of the timestep's sinusoids plus an MLP of the pooled text. */
record TimeTextEmbedding(Mlp timestep, Mlp text) {
    static TimeTextEmbedding load(Weights w, MmditConfig c) {
        return new TimeTextEmbedding(mlp(w.at("timestep_embedder"), c, MmditConfig.TIMESTEP_CHANNELS),
                mlp(w.at("text_embedder"), c, c.pooledDim()));
    }

    private static Mlp mlp(Weights w, MmditConfig c, int in) {
        int d = c.hidden();
        return new Mlp(Linear.load(w.at("linear_1"), d, in), Activation.SILU, Linear.load(w.at("linear_2"), d, d));
    }

    /** a.timestep [batch] and a.textEmbedding [batch, d] to a.conditioning and its SiLU, [batch, d]. */
    void apply(Backend backend, MmditBuffers a) {
        backend.timestepEmbedding(a.timestep(), a.timestepSinusoid());
        backend.activate(Activation.NONE, a.textEmbedding(), a.conditioning());
        timestep.apply(backend, a.timestepSinusoid(), a.embeddingHidden(), Epilogue.ADD, a.conditioning());
        backend.activate(Activation.SILU, a.conditioning(), a.conditioningSilu());
    }
}
