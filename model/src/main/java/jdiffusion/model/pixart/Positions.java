package jdiffusion.model.pixart;

import jdiffusion.model.nn.Sinusoids;

/**
 * The embedding of positions, computed for a picture's size: the first half of the channels is of the column, the
 * second of the row. Positions run over the same range whatever the size: from 0 to the side of a picture of the
 * training size in patches, divided by the scale.
 */
final class Positions {
    private Positions() {
    }

    /**
     * @param rows  of patches
     * @param base  patches of a side in training
     * @param scale how many times finer positions are than whole numbers
     * @return [rows * columns, channels]
     */
    static float[] values(int rows, int columns, int base, double scale, int channels) {
        int half = channels / 2;
        float[] across = along(columns, base, scale, half);
        float[] down = along(rows, base, scale, half);
        float[] all = new float[Math.multiplyExact(Math.multiplyExact(rows, columns), channels)];
        for (int token = 0; token < rows * columns; token++) {
            System.arraycopy(across, token % columns * half, all, token * channels, half);
            System.arraycopy(down, token / columns * half, all, token * channels + half, half);
        }
        return all;
    }

    /** [n, channels]; positions in float32, as diffusers has them. */
    private static float[] along(int n, int base, double scale, int channels) {
        float[] all = new float[n * channels];
        for (int i = 0; i < n; i++) {
            Sinusoids.write(i / (float) ((double) n / base) / (float) scale, all, i * channels, channels);
        }
        return all;
    }
}
