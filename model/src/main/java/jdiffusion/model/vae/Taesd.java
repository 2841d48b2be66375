package jdiffusion.model.vae;

import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/**
 * TAESD, the tiny autoencoder: madebyollin's distillation of a family's autoencoder into plain convolutions; diffusers'
 * {@code AutoencoderTiny}. Its latents are the denoiser's own, neither scaled nor shifted. Its interface is
 * channels-first, as {@link Vae}'s is.
 *
 * @param encoder null where the file holds the decoder alone
 */
public record Taesd(TaesdConfig config, TaesdEncoder encoder, TaesdDecoder decoder) implements LatentDecoder {
    /** Latents are clamped softly to this, either way. */
    private static final double MAGNITUDE = 3;

    /** Of names as diffusers has them. */
    public static Taesd load(Weights w, ConfigFile file) {
        Weights first = w.at("encoder.layers");
        TaesdEncoder encoder = first.has("0.weight") || first.has("0.bias") ? TaesdEncoder.load(first, file) : null;
        TaesdDecoder decoder = TaesdDecoder.load(w.at("decoder.layers"), file);
        w.finish();
        return new Taesd(TaesdConfig.of(encoder, decoder, file), encoder, decoder);
    }

    /**
     * The latents of images.
     *
     * @param image [batch, 3, f h, f w] in -1 to 1, sides multiples of f
     * @return [batch, latentChannels, h, w]
     */
    public Tensor encode(Compute compute, Tensor image) {
        Backend backend = compute.backend();
        Workspace w = compute.workspace();
        var s = image.shape();
        int f = config.factor();
        if (encoder == null) {
            throw new InputException("this TAESD has no encoder, and an image is to be encoded");
        }
        if (s.dim(1) != 3 || s.dim(2) % f != 0 || s.dim(3) % f != 0) {
            throw new InputException("TAESD encodes images of 3 channels whose sides are multiples of " + f + ", not "
                    + s);
        }
        Tensor out = w.f32(s.dim(0), config.latentChannels(), s.dim(2) / f, s.dim(3) / f);
        try (var _ = w.scope()) {
            Tensor pixels = w.f32(s.dim(0), s.dim(2), s.dim(3), 3);
            Tensor last = w.f32(s.dim(0), s.dim(2) / f, s.dim(3) / f, config.latentChannels());
            backend.channelsLast(image, pixels);
            // From -1..1 to 0..1.
            addConstant(compute, 0.5f, 0.5f, pixels);
            encoder.apply(compute, pixels, last);
            backend.channelsFirst(last, out);
        }
        return out;
    }

    @Override
    public Tensor decode(Compute compute, Tensor latents) {
        Backend backend = compute.backend();
        Workspace w = compute.workspace();
        var s = latents.shape();
        int f = config.factor();
        Tensor out = w.f32(s.dim(0), 3, s.dim(2) * f, s.dim(3) * f);
        // Latents are small, and few: no kernel is needed for them.
        float[] values = backend.download(latents);
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (Math.tanh(values[i] / MAGNITUDE) * MAGNITUDE);
        }
        int size = values.length / s.dim(0);
        // One image at a time, as the autoencoder does.
        for (int i = 0; i < s.dim(0); i++) {
            try (var _ = w.scope()) {
                Tensor first = w.f32(1, s.dim(1), s.dim(2), s.dim(3));
                Tensor last = w.f32(1, s.dim(2), s.dim(3), s.dim(1));
                Tensor pixels = w.f32(1, s.dim(2) * f, s.dim(3) * f, 3);
                backend.upload(Arrays.copyOfRange(values, i * size, (i + 1) * size), first);
                backend.channelsLast(first, last);
                decoder.apply(compute, last, pixels);
                // From 0..1 to -1..1.
                addConstant(compute, 2, -1, pixels);
                backend.channelsFirst(pixels, out.slice(i, i + 1));
            }
        }
        return out;
    }

    /** x = factor * x + constant. */
    private static void addConstant(Compute compute, float factor, float constant, Tensor x) {
        try (var _ = compute.workspace().scope()) {
            Tensor ones = compute.workspace().f32(x.shape().dims());
            float[] values = new float[Math.toIntExact(x.shape().size())];
            Arrays.fill(values, 1);
            compute.backend().upload(values, ones);
            compute.backend().combine(new float[] {factor, constant}, List.of(x, ones), x);
        }
    }
}
