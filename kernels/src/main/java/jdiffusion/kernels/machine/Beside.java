package jdiffusion.kernels.machine;

/** What a product on tiles asks the caches for, beside its own operands: what {@link Ahead#toWrite} was told of. */
public enum Beside {
    NOTHING,
    /** 32 rows that will be read. */
    ROWS,
    /** 32 rows of the output in float32. */
    FLOATS,
    /** 32 rows of the output in bfloat16. */
    HALVES
}
