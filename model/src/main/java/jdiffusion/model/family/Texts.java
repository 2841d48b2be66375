package jdiffusion.model.family;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;
import jdiffusion.model.text.ClipTextEncoder;

/**
 * What an encoder reads for a request.
 *
 * @param length  tokens of each prompt
 * @param weights how brackets in the prompts are read
 * @param skipped layers left out of each prompt's hidden state: see {@link ClipTextEncoder#apply}; empty for T5
 */
public record Texts(List<String> prompts, int length, PromptWeights weights, List<Integer> skipped) {
    public Texts {
        prompts = List.copyOf(prompts);
        skipped = List.copyOf(skipped);
    }

    /** For CLIP, with all layers. */
    public static Texts clip(List<String> prompts) {
        return clip(prompts, PromptWeights.NONE, 0);
    }

    /**
     * For CLIP.
     *
     * @param skip layers that the last prompt leaves out: a negative prompt before it leaves out none
     */
    public static Texts clip(List<String> prompts, PromptWeights weights, int skip) {
        List<Integer> skipped = new ArrayList<>(Collections.nCopies(prompts.size(), 0));
        skipped.set(prompts.size() - 1, skip);
        return new Texts(prompts, TextEncoders.CLIP_LENGTH, weights, skipped);
    }

    /** For T5. */
    public static Texts t5(List<String> prompts, int length, PromptWeights weights) {
        return new Texts(prompts, length, weights, List.of());
    }

    /** One of the prompts. */
    Texts only(int i) {
        return new Texts(List.of(prompts.get(i)), length, weights, skipped.isEmpty() ? List.of()
                : List.of(skipped.get(i)));
    }

    /** These and others of the same length. */
    Texts and(Texts more) {
        return new Texts(Stream.concat(prompts.stream(), more.prompts.stream()).toList(), length, weights,
                Stream.concat(skipped.stream(), more.skipped.stream()).toList());
    }
}
