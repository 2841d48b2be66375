package jdiffusion.model.pipeline;

import jdiffusion.model.vae.TaesdFile;

/**
 * Where a TAESD works in the VAE's place.
 *
 * @param encoder of init images; null for the VAE
 * @param decoder of pictures; null for the VAE
 */
record TaesdUse(TaesdFile encoder, TaesdFile decoder) {
    static final TaesdUse NONE = new TaesdUse(null, null);
}
