package jdiffusion.model.sd3;

import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.model.nn.Linear;
import jdiffusion.model.nn.Mlp;
import jdiffusion.tensor.Tensor;
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

    /**
     * Adds the timesteps' part to the text's.
     *
     * @param times    [m]
     * @param sinusoid [m, TIMESTEP_CHANNELS], written
     * @param hidden   [m, d], written
     * @param sum      [m, d] the text's part; updated
     * @param silu     [m, d] silu(sum), written
     */
    void apply(Backend backend, Tensor times, Tensor sinusoid, Tensor hidden, Tensor sum, Tensor silu) {
        backend.timestepEmbedding(times, sinusoid);
        timestep.apply(backend, sinusoid, hidden, Epilogue.ADD, sum);
        backend.activate(Activation.SILU, sum, silu);
    }
}
