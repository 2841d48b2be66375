package jdiffusion.model;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** One of the evaluations that guidance puts together. */
public enum Branch {
    /** With the prompt. */
    COND,
    /** With the negative prompt. */
    UNCOND,
    /** With the prompt, some layers left out. */
    SKIP,
    /** With the prompt, tokens of some layers attending to themselves alone. */
    PAG,
    /** With the prompt, queries of some layers blurred. */
    SEG;

    /** As names of recorded tensors have it: cond, uncond, skip, pag, seg. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The one of a label; null for none. */
    public static Branch of(String label) {
        return Arrays.stream(values()).filter(branch -> branch.label().equals(label)).findFirst().orElse(null);
    }

    /** All labels, for messages. */
    public static String labels() {
        return Arrays.stream(values()).map(Branch::label).collect(Collectors.joining(", "));
    }

    /** Whether it predicts worse on purpose, in a part of the steps. */
    public boolean isWorse() {
        return this != COND && this != UNCOND;
    }
}
