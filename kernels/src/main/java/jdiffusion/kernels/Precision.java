package jdiffusion.kernels;

/** In what precision matrix products and attention take their inputs; sums are float32 always. */
public enum Precision {
    /** As they are. On the CPU only: tensor cores take 16 bits. */
    F32,
    /** Rounded to bfloat16, to nearest even. The residual stream stays float32. */
    BF16,
    /**
     * Rounded to float16, to nearest even, where values are small enough; bfloat16 in T5 and the VAE, which overflow
     * it. On devices with tensor cores only.
     */
    F16,
    /**
     * As the device's usual one (BF16, on the CPU F32), but linear layers whose weights are stored as float8 round each
     * row of their input to e4m3, with a scale of its own, so that tensor cores multiply float8. On the CPU the same
     * numbers are multiplied in float32.
     */
    FP8
}
