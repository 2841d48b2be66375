package jdiffusion.model.guidance;

import java.util.List;

/**
 * What guidance changes in the self-attentions of some layers.
 *
 * @param layers by their numbers
 * @param sigma  of the blur of the image's queries over the picture, in tokens, infinite for their mean; 0 where tokens
 *               attend to themselves alone instead
 */
public record AttentionChange(List<Integer> layers, double sigma) {
    public AttentionChange {
        layers = List.copyOf(layers);
    }

    static AttentionChange identity(List<Integer> layers) {
        return new AttentionChange(layers, 0);
    }

    static AttentionChange blurred(List<Integer> layers, double sigma) {
        return new AttentionChange(layers, sigma);
    }

    public boolean isIdentity() {
        return sigma == 0;
    }
}
