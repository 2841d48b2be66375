package jdiffusion.model.pipeline;

import java.util.List;
import java.util.Map;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.EmbeddedGuidance;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.MicroConditioning;
import jdiffusion.model.family.PromptWeights;
import jdiffusion.model.family.TextOptions;
import jdiffusion.tensor.Shape;

/**
 * What requests have to have in common to be denoised together. They may differ in their prompts and in all that only
 * text encoders read, and in their seeds; in nothing else, nor in the shapes of their conditionings.
 *
 * @param shared one of the requests, without what may differ
 * @param shapes of the tensors of its conditionings; empty where they are not known yet
 */
public record BatchKey(GenerationRequest shared, Map<String, Shape> shapes) {
    public BatchKey {
        shapes = Map.copyOf(shapes);
    }

    /**
     * Null for a request that is denoised alone: of several pictures; from a picture, with a mask, a ControlNet or a
     * second pass; a branch of a saved run; or with a report on its cache, which is of one request.
     */
    static BatchKey of(GenerationRequest request) {
        if (request.images() > 1 || request.init() != null || request.control() != null || request.hires() != null
                || request.methods().branch() != null || request.methods().cacheReport()) {
            return null;
        }
        EmbeddedGuidance embedded = request.embedded();
        return new BatchKey(request.toBuilder().prompt("").negativePrompt(request.guided() ? "" : null).seed(0)
                .seeds(GenerationRequest.Seeds.CONSECUTIVE).text(TextOptions.DEFAULT)
                .micro(MicroConditioning.DEFAULT).embedded(new EmbeddedGuidance(Float.NaN, embedded.needsNegative()))
                .methods(request.methods().withWeights(PromptWeights.NONE)).build(), Map.of());
    }

    /**
     * The key of a request whose text is encoded: weights in prompts may make it longer than another's.
     *
     * @param prompts what encoding gave
     */
    public BatchKey with(List<Conditioning> prompts) {
        return new BatchKey(shared, prompts.getFirst().shapes());
    }
}
