package jdiffusion.model.nn;

/** Embeddings of positions on an axis (Vaswani et al., "Attention Is All You Need", 2017). */
public final class Sinusoids {
    private static final double LONGEST = 10_000;

    private Sinusoids() {
    }

    /** Writes a position's sines, then its cosines, of falling frequencies; {@code channels} in all. */
    public static void write(double position, float[] to, int at, int channels) {
        int frequencies = channels / 2;
        for (int f = 0; f < frequencies; f++) {
            double angle = position / Math.pow(LONGEST, (double) f / frequencies);
            to[at + f] = (float) Math.sin(angle);
            to[at + frequencies + f] = (float) Math.cos(angle);
        }
    }
}
