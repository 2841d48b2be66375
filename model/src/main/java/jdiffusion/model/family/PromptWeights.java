package jdiffusion.model.family;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import jdiffusion.tensor.InputException;

/** Whether brackets in prompts are text, or weights as another program reads them. */
public enum PromptWeights {
    /** Brackets are text, and what does not fit is cut: diffusers. */
    NONE,
    /** AUTOMATIC1111's web UI: outputs are multiplied and their mean restored; {@code BREAK} begins a new chunk. */
    A1111,
    /** ComfyUI: outputs move away from those of an empty prompt. */
    COMFYUI;

    /** Tokens of a chunk, each of which is a character or more. */
    private static final int CHUNK = 75;

    /** Whether a prompt may be read otherwise than without weights: it has brackets, or may be too long for a chunk. */
    public static boolean actOn(String prompt) {
        return prompt != null && (prompt.length() > CHUNK || prompt.contains("BREAK")
                || prompt.chars().anyMatch(c -> "()[]\\".indexOf(c) >= 0));
    }

    /** The name on the command line. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** @throws InputException when there is none of that name */
    public static PromptWeights of(String name, String label) {
        for (PromptWeights weights : values()) {
            if (weights.label().equalsIgnoreCase(label)) {
                return weights;
            }
        }
        throw new InputException(name + " is '" + InputException.shown(label) + "'; use one of "
                + Arrays.stream(values()).map(PromptWeights::label).collect(Collectors.joining(", ")));
    }
}
