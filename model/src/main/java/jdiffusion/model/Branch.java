package jdiffusion.model;

import java.util.Locale;

/** One of the evaluations that guidance puts together. */
public enum Branch {
    /** With the prompt. */
    COND,
    /** With the negative prompt. */
    UNCOND,
    /** With the prompt and worse on purpose: some layers left out, or attention changed in some. */
    SKIP;

    /** As names of recorded tensors have it: cond, uncond, skip. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }
}
