package jdiffusion.model.family;

/** What all families' denoisers have, however they are built. */
public interface DenoiserConfig {
    /** Channels of the latents that it reads. */
    int inChannels();

    /** Channels that it predicts. */
    int outChannels();

    /** Side of a patch in latent pixels: sizes are multiples of it. */
    int patch();

    /** Width of the text embeddings that it reads. */
    int contextDim();

    /** Width of the pooled text embedding that it reads; 0 for none. */
    int pooledDim();

    /** Largest side of the latents in patches; 0 where nothing limits it. */
    int positions();

    /** Layers that skip-layer guidance can leave out, numbered from 0; 0 where there is no such guidance. */
    int layers();

    /** Its sizes, in words. */
    String describe();
}
