package jdiffusion.model.sampling;

/** Standard normal numbers of a seed. Not for use by several threads at once: the order of calls decides the result. */
public interface RandomNormals {
    /** Fills an array with the next ones, as one call of {@code randn} of that many. */
    void normals(float[] out);
}
