package jdiffusion.model.pipeline;

import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Hires;
import jdiffusion.model.vae.TaesdFile;

/**
 * Where a TAESD works in the VAE's place.
 *
 * @param encoder of init images; null for the VAE
 * @param decoder of pictures; null for the VAE
 */
record TaesdUse(TaesdFile encoder, TaesdFile decoder) {
    static final TaesdUse NONE = new TaesdUse(null, null);

    /**
     * Whether a request is drawn with the VAE all the same.
     *
     * @param encodes whether the request's pictures are encoded
     * @param decodes whether what is drawn is decoded
     */
    boolean needsVae(GenerationRequest request, boolean encodes, boolean decodes) {
        boolean redone = request.hires() != null && request.hires().upscaler() == Hires.Upscaler.LANCZOS;
        boolean reads = encoder == null && (request.init() != null || redone) || request.control() != null;
        return decodes && decoder == null || encodes && reads;
    }
}
