package jdiffusion.model.family;

import java.util.List;

/** The single operations of a denoiser whose speed is measured, and the sizes at which it can be. */
public interface BenchShapes {
    /** Pixels of a patch: sides of pictures are multiples of it. */
    int multiple();

    /** Pixels of the largest side. */
    int largest();

    /**
     * Tokens of text that the denoiser reads.
     *
     * @param tokens of the encoder that reads most
     */
    int contextTokens(int tokens);

    /**
     * The linear layers of a block.
     *
     * @param tokens of text, of the encoder that reads most
     * @return products [m, k] x [k, n], as {m, k, n}
     */
    List<int[]> products(int batch, int width, int height, int tokens);

    /** The kinds of blocks, each to be measured by itself; empty where the denoiser is measured as a whole alone. */
    default List<BenchBlock> blocks() {
        return List.of();
    }

    /** The attentions of a block: plain, and as the model has them where that is more. */
    List<BenchAttention> attentions(int batch, int width, int height, int tokens);
}
