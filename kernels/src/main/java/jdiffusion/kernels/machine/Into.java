package jdiffusion.kernels.machine;

/** How finished rows meet what the output holds: see {@link jdiffusion.kernels.Epilogue.Mode}. */
public enum Into { STORE, ADD, GATED_ADD, MULTIPLY }
