package jdiffusion.kernels.machine;

/** What the sums of a product begin at. */
public enum Start {
    /** What is there. */
    SUMS,
    /** 0, whatever is there. */
    ZERO,
    /** In each row the numbers that lie before the right operand, as many as it has columns: a bias. */
    ROW_BEFORE
}
