package jdiffusion.model.family;

import java.util.List;
import jdiffusion.tensor.InputException;

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

    /** Layers in which guidance can change the attention, numbered from 0; 0 where there is no such guidance. */
    default int attentions() {
        return 0;
    }

    /** Those of them that are usual for it. */
    default List<Integer> usualAttentions() {
        return List.of();
    }

    /** Whether it is a row of blocks on one stream, of which all but the first can be left out. */
    default boolean reusesBlocks() {
        return false;
    }

    /** Its sizes, in words. */
    String describe();

    /**
     * Fails for latents that are no whole patches, or more of them than there are positions for.
     *
     * @throws InputException that says what would work
     */
    default void checkLatents(int height, int width) {
        if (height % patch() != 0 || width % patch() != 0) {
            throw new InputException("latents of " + height + "x" + width + " do not divide into patches of "
                    + patch());
        }
        if (positions() > 0 && Math.max(height, width) / patch() > positions()) {
            throw new InputException("latents of " + height + "x" + width + " reach beyond the denoiser's table of "
                    + positions() + "x" + positions() + " positions; at most " + positions() * patch()
                    + " latent pixels a side");
        }
    }
}
