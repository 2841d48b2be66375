package jdiffusion.kernels;

import java.util.Locale;

/** In what precision matrix products and attention take their inputs; sums are float32 always. */
public enum Precision {
    /** As they are. On the CPU only: tensor cores take 16 bits. */
    F32,
    /** Rounded to bfloat16, to nearest even. The residual stream stays float32. */
    BF16,
    /**
     * Linear layers and convolutions take each input as the sum of two bfloat16 numbers, which have 16 bits of it, and
     * multiply all parts but the smallest two; attention takes inputs as they are. On CPUs with AMX only.
     */
    BF16X2,
    /** The same with three numbers, which have all 24 bits, and up to six products: about as exact as float32. */
    BF16X3,
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
    FP8;

    /** As in {@code --precision}. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** How many bfloat16 numbers stand for an input of a linear layer; 1 where it is not split. */
    public int parts() {
        return this == BF16X3 ? 3 : this == BF16X2 ? 2 : 1;
    }

    /** Whether inputs are split into parts, which only AMX does. */
    public boolean isSplit() {
        return parts() > 1;
    }

    /** Whether inputs lose bits before they are multiplied. */
    public boolean rounds() {
        return this == BF16 || this == F16 || this == FP8;
    }
}
