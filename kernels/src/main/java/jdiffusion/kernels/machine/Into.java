package jdiffusion.kernels.machine;

/**
 * How finished rows meet what the output holds: see {@link jdiffusion.kernels.Epilogue.Mode}. ROUND stores them in
 * bfloat16, the others go into float32.
 */
public enum Into { STORE, ROUND, ADD, GATED_ADD, MULTIPLY }
