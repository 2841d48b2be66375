package jdiffusion.model.vae;

import jdiffusion.model.Compute;
import jdiffusion.tensor.Tensor;

/** What makes pictures of latents: the autoencoder, or a small one in its place. */
public interface LatentDecoder {
    /**
     * @param latents [batch, channels, h, w]
     * @return [batch, 3, f h, f w], about -1 to 1
     */
    Tensor decode(Compute compute, Tensor latents);
}
