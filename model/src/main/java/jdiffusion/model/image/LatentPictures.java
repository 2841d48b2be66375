package jdiffusion.model.image;

/** Pictures of latents for who looks on while they are denoised. */
@FunctionalInterface
public interface LatentPictures {
    /**
     * A picture of any size and the latents' shape.
     *
     * @param latents [batch, channels, height, width]; the first is shown
     * @param height  of the latents
     * @param width   of the latents
     */
    Picture picture(float[] latents, int height, int width);
}
