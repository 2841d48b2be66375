package jdiffusion.model.pixart;

import jdiffusion.kernels.Activation;
import jdiffusion.model.nn.Linear;
import jdiffusion.model.nn.Mlp;
import jdiffusion.tensor.Weights;

/**
 * adaLN-single: one projection of the time's vector for all blocks, to which each adds a table of its own (PixArt-alpha,
 * section 2.3).
 *
 * @param time        MLP of the time's sinusoids, to d
 * @param resolution  MLP of the sinusoids of a height or a width, to d / 3; null where sizes are not told
 * @param aspectRatio the same of height by width; null likewise
 * @param projection  of silu(time), to 6 d
 */
record AdaLnSingle(Mlp time, Mlp resolution, Mlp aspectRatio, Linear projection) {
    static AdaLnSingle load(Weights w, DitConfig c) {
        int d = c.hidden();
        Weights emb = w.at("emb");
        return new AdaLnSingle(mlp(emb.at("timestep_embedder"), d),
                c.sizes() ? mlp(emb.at("resolution_embedder"), d / DitConfig.SIZES) : null,
                c.sizes() ? mlp(emb.at("aspect_ratio_embedder"), d / DitConfig.SIZES) : null,
                Linear.load(w.at("linear"), DitBlock.PARTS * d, d));
    }

    private static Mlp mlp(Weights w, int d) {
        return new Mlp(Linear.load(w.at("linear_1"), d, DitConfig.SINUSOIDS), Activation.SILU,
                Linear.load(w.at("linear_2"), d, d));
    }
}
