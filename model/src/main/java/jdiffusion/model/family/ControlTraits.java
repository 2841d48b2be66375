package jdiffusion.model.family;

/** What a ControlNet was trained with, as far as it differs from the denoiser. */
public interface ControlTraits {
    /** Usual steps with it. */
    int steps(int without);

    /** Usual guidance scale with it. */
    float guidance(float without);

    /** Whether pictures of edges are scaled for it. */
    boolean scalesEdges();

    /** Whether it reads latents without the VAE's shift. */
    boolean withoutShift();
}
