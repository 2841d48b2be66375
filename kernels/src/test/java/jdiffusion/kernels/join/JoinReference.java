package jdiffusion.kernels.join;

/** Two tensors side by side, index by index. */
final class JoinReference {
    private JoinReference() {
    }

    static float[] run(float[] a, float[] b, JoinCase k) {
        int channels = k.a + k.b;
        float[] out = new float[k.pixels() * channels];
        for (int i = 0; i < out.length; i++) {
            int pixel = i / channels;
            int channel = i % channels;
            out[i] = channel < k.a ? a[pixel * k.a + channel] : b[pixel * k.b + channel - k.a];
        }
        return out;
    }
}
