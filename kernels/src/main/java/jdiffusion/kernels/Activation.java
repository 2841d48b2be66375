package jdiffusion.kernels;

/** The pointwise functions of the model family. */
public enum Activation {
    /** x */
    NONE,
    /** x / (1 + exp(-x)), also called swish. */
    SILU,
    /** GELU with the tanh approximation, Hendrycks and Gimpel (2016); "gelu_new" and "gelu_pytorch_tanh". */
    GELU_TANH,
    /** GELU by the error function: x/2 (1 + erf(x / sqrt 2)). */
    GELU_ERF,
    /** x / (1 + exp(-1.702 x)), CLIP-L's. */
    QUICK_GELU,
    /** x where it is not below 0, else 0. */
    RELU
}
