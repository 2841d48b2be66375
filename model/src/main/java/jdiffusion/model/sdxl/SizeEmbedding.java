package jdiffusion.model.sdxl;

import jdiffusion.tensor.InputException;

/**
 * Micro-conditioning, section 2.2 of the SDXL paper: the numbers that say which size a picture had, how it was cropped,
 * which size is wanted (or how well it was rated), each as sinusoids, behind the pooled text.
 */
final class SizeEmbedding {
    /** Name of the joined vector among a conditioning's tensors, [addedDim]. */
    static final String ADDED = "added";
    /** Name of the numbers themselves, [5 or 6]. */
    static final String IDS = "time_ids";
    private static final double PERIOD = 10000;

    private SizeEmbedding() {
    }

    /**
     * @param pooled   of the text
     * @param ids      the numbers
     * @param addedDim width that the UNet reads
     * @param where    for messages
     * @return [addedDim]
     */
    static float[] join(float[] pooled, float[] ids, int addedDim, String where) {
        int left = addedDim - pooled.length;
        if (left <= 0 || left % (2 * ids.length) != 0) {
            throw new InputException(where + ": the text encoders' pooled output is " + pooled.length
                    + " wide, and the denoiser reads " + addedDim + " numbers of it and of " + ids.length
                    + " sizes; do these components belong together?");
        }
        int channels = left / ids.length;
        float[] all = new float[addedDim];
        System.arraycopy(pooled, 0, all, 0, pooled.length);
        for (int i = 0; i < ids.length; i++) {
            sinusoids(ids[i], all, pooled.length + i * channels, channels);
        }
        return all;
    }

    /** Cosines first; products in float32, as in training. */
    private static void sinusoids(float value, float[] to, int at, int channels) {
        int half = channels / 2;
        for (int i = 0; i < half; i++) {
            float frequency = (float) Math.exp((float) (-Math.log(PERIOD) * i) / half);
            float angle = value * frequency;
            to[at + i] = (float) Math.cos(angle);
            to[at + half + i] = (float) Math.sin(angle);
        }
    }
}
