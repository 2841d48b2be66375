package jdiffusion.kernels.modulate;

import jdiffusion.tensor.Tensor;

/** Modulation as its formula reads. */
final class ModulateReference {
    private ModulateReference() {
    }

    /** In float32, each step rounded: what every device must give to the bit. */
    static float[] naive(float[] x, int c, Tensor scale, Tensor shift) {
        float[] out = new float[x.length];
        int rows = x.length / c;
        for (int r = 0; r < rows; r++) {
            int entry = r / (rows / scale.rows());
            for (int i = 0; i < c; i++) {
                out[r * c + i] = x[r * c + i] * (1 + scale.get(entry, i)) + shift.get(entry, i);
            }
        }
        return out;
    }
}
