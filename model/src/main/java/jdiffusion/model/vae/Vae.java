package jdiffusion.model.vae;

import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.nn.Conv2d;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/**
 * The autoencoder between images and latents. Its interface is channels-first, as in the checkpoint's own code;
 * inside, images are channels-last. Activations are float32: float16 overflows here.
 *
 * @param quantisation     1x1, on what the encoder gives; null where there is none
 * @param postQuantisation 1x1, on latents before they are decoded; null where there is none
 */
public record Vae(VaeConfig config, VaeEncoder encoder, Conv2d quantisation, Conv2d postQuantisation,
                  VaeDecoder decoder) implements LatentDecoder {
    /** Bounds on the log-variance, as in the reference's DiagonalGaussianDistribution. */
    public static final float LOGVAR_MIN = -30;
    public static final float LOGVAR_MAX = 20;

    public static Vae load(Weights w, ConfigFile file) {
        VaeConfig c = VaeConfig.of(w, file);
        int moments = 2 * c.latentChannels();
        Vae vae = new Vae(c, VaeEncoder.load(w.at("encoder"), c),
                VaeConfig.hasQuantisation(w) ? Conv2d.load(w.at("quant_conv"), moments, moments, 1) : null,
                VaeConfig.hasPostQuantisation(w)
                        ? Conv2d.load(w.at("post_quant_conv"), c.latentChannels(), c.latentChannels(), 1) : null,
                VaeDecoder.load(w.at("decoder"), c));
        w.finish();
        return vae;
    }

    /**
     * The distribution of an image's latents.
     *
     * @param image [batch, 3, f h, f w] in -1 to 1, sides multiples of f
     * @return mean and log-variance (not yet clamped), one after the other: [batch, 2 * latentChannels, h, w]
     */
    public Tensor encode(Compute compute, Tensor image) {
        Backend backend = compute.backend();
        Workspace w = compute.workspace();
        var s = image.shape();
        int f = config.factor();
        if (s.dim(1) != 3 || s.dim(2) % f != 0 || s.dim(3) % f != 0) {
            throw new InputException("the VAE encodes images of 3 channels whose sides are multiples of " + f
                    + ", not " + s);
        }
        int channels = 2 * config.latentChannels();
        Tensor out = w.f32(s.dim(0), channels, s.dim(2) / f, s.dim(3) / f);
        try (var _ = w.scope()) {
            Tensor moments = w.f32(s.dim(0), s.dim(2) / f, s.dim(3) / f, channels);
            Tensor pixels = w.f32(s.dim(0), s.dim(2), s.dim(3), 3);
            backend.channelsLast(image, pixels);
            encoder.apply(compute, pixels, moments);
            backend.channelsFirst(convolved(compute, quantisation, moments), out);
        }
        return out;
    }

    /**
     * @param latents [batch, latentChannels, h, w] of the autoencoder (not of the denoiser: see VaeConfig.scale)
     * @return [batch, 3, f h, f w], about -1 to 1
     */
    @Override
    public Tensor decode(Compute compute, Tensor latents) {
        Backend backend = compute.backend();
        Workspace w = compute.workspace();
        var s = latents.shape();
        int f = config.factor();
        Tensor out = w.f32(s.dim(0), 3, s.dim(2) * f, s.dim(3) * f);
        // One image at a time: the activations at full size are what sets the pipeline's peak memory.
        for (int i = 0; i < s.dim(0); i++) {
            try (var _ = w.scope()) {
                Tensor last = w.f32(1, s.dim(2), s.dim(3), s.dim(1));
                Tensor pixels = w.f32(1, s.dim(2) * f, s.dim(3) * f, 3);
                backend.channelsLast(latents.slice(i, i + 1), last);
                decoder.apply(compute, convolved(compute, postQuantisation, last), pixels);
                backend.channelsFirst(pixels, out.slice(i, i + 1));
            }
        }
        return out;
    }

    /** @param convolution of as many channels as x [batch, h, w, channels]; null gives x */
    private static Tensor convolved(Compute compute, Conv2d convolution, Tensor x) {
        if (convolution == null) {
            return x;
        }
        Tensor out = compute.workspace().f32(x.shape().dims());
        convolution.apply(compute.backend(), x, Epilogue.STORE, out);
        return out;
    }
}
