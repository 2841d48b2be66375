package jdiffusion.model.sites;

import jdiffusion.model.checkpoint.Component;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;

/**
 * A named tensor of a run.
 *
 * @param name      such as {@code block.12.image.attn.q}, with the role of a text encoder or the VAE before it
 * @param module    of the checkpoint that gives it, or with {@code (input)} behind it reads it; empty for none
 * @param component that computes it; null for what the sampler has
 * @param layout    of the tensor
 * @param shape     of one picture and branch
 * @param type      in which the device holds it
 * @param heads     that its columns are divided into; 0 where they are not
 * @param when      it is there
 * @param branched  whether each guidance branch has its own
 */
public record Site(String name, String module, Component component, Layout layout, Shape shape, DType type, int heads,
                   When when, boolean branched) {
    /** What its dimensions are. */
    public enum Layout {
        /** [width] */
        VECTOR,
        /** [tokens, width] */
        TOKENS,
        /** [channels, height, width] */
        IMAGE
    }

    /** How often it is computed. */
    public enum When {
        /** Once for each prompt. */
        TEXT,
        /** Once before the first step, for all of them. */
        START,
        /** In every evaluation of the denoiser. */
        STEP,
        /** Once for each picture, by the VAE. */
        PICTURE
    }

    /** Bytes as float32, in which it is recorded. */
    public long bytes() {
        return shape.size() * Float.BYTES;
    }

    /** Rows of the matrix that its values are looked at as: tokens, or rows of pixels of all channels. */
    int rows() {
        return layout == Layout.VECTOR ? 1 : shape.rows();
    }

    int columns() {
        return shape.cols();
    }

    /** Whether it is what a block reads. */
    boolean isInput() {
        return name.endsWith(".in");
    }
}
