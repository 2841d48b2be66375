package jdiffusion.kernels;

/** In what precision matrix products and attention take their inputs; sums are float32 always. */
public enum Precision {
    /** As they are. */
    F32,
    /** Rounded to bfloat16, to nearest even. The residual stream stays float32. */
    BF16
}
