package jdiffusion.model.family;

import jdiffusion.model.image.Paste;

/**
 * How a request's mask acts, beside where it is white.
 *
 * @param soft  whether its greys count: the latents are mixed by it after each step. A network that reads the mask is
 *              shown it with hard edges all the same
 * @param fill  what the masked part of the latents starts from; colours of the picture are filled before
 * @param paste into which picture what was drawn is pasted, and how; null for none
 */
public record Inpainting(boolean soft, MaskFill fill, Paste paste) {
    /** A mask with hard edges around a part of the picture; the whole is decoded. */
    public static final Inpainting HARD = new Inpainting(false, MaskFill.ORIGINAL, null);
}
