package jdiffusion.model.sd3;

import jdiffusion.model.nn.Sinusoids;
import jdiffusion.model.quantize.Elements;
import jdiffusion.tensor.Shape;

/**
 * The denoiser's table of positions, [1, side * side, channels]: half of the channels for the column, half for the
 * row, each half sines, then cosines of falling frequencies. Positions are in units of patches of the size at which
 * the model was trained, so a table that is k times as wide has steps of 1 / k.
 */
final class Positions implements Elements {
    private final Shape shape;
    private final int side;
    /** [side, channels / 2]. */
    private final float[] along;

    /** @param base side of a picture of the training size, in patches */
    Positions(int side, int base, int channels) {
        this.shape = Shape.of(1, side * side, channels);
        this.side = side;
        int half = channels / 2;
        this.along = new float[side * half];
        for (int p = 0; p < side; p++) {
            Sinusoids.write(p / ((double) side / base), along, p * half, half);
        }
    }

    @Override
    public Shape shape() {
        return shape;
    }

    @Override
    public void read(long first, int count, float[] to, int at) {
        int half = shape.cols() / 2;
        for (int done = 0; done < count; ) {
            long halves = (first + done) / half;
            int from = (int) ((first + done) % half);
            int position = (int) (halves / 2);
            int along = halves % 2 == 0 ? position % side : position / side;
            int n = Math.min(half - from, count - done);
            System.arraycopy(this.along, along * half + from, to, at + done, n);
            done += n;
        }
    }
}
