package jdiffusion.kernels.groupnorm;

import jdiffusion.kernels.Operands;
import jdiffusion.tensor.Tensor;

/**
 * A GroupNorm over images [batch, height, width, channels], and how its work is cut. The cut follows from the sizes of
 * one image alone, so that sums are taken in the same order whatever the threads and the batch.
 *
 * @param batch    images
 * @param pixels   of one image
 * @param channels of one pixel
 * @param groups   equal runs of channels
 */
public record GroupNormShape(int batch, int pixels, int channels, int groups) {
    /** What a loop works on between two copies: with its sums it stays in the innermost cache. */
    private static final int CHUNK_FLOATS = 512;
    /** What a work item visits twice: it stays in a core's own cache. */
    private static final int TILE_FLOATS = 65536;

    public GroupNormShape {
        if (batch < 1 || pixels < 1 || channels < 1 || groups < 1 || channels % groups != 0) {
            throw new IllegalArgumentException("groupNorm of " + batch + " images of " + pixels + " pixels of "
                    + channels + " channels in " + groups + " groups");
        }
    }

    static GroupNormShape of(Tensor x, int groups, Tensor weight, Tensor bias, Tensor out) {
        Operands.images("groupNorm", x, out);
        Operands.equalShapes("groupNorm", x, out);
        Operands.parameter("groupNorm", weight, x);
        Operands.parameter("groupNorm", bias, x);
        return new GroupNormShape(x.shape().dim(0), Math.multiplyExact(x.shape().dim(1), x.shape().dim(2)), x.cols(),
                groups);
    }

    int groupSize() {
        return channels / groups;
    }

    int chunkPixels() {
        return Math.min(pixels, Math.max(1, CHUNK_FLOATS / channels));
    }

    int chunk() {
        return chunkPixels() * channels;
    }

    int tilePixels() {
        return Math.max(1, TILE_FLOATS / chunk()) * chunkPixels();
    }

    /** Tiles of one image. */
    int tiles() {
        return Math.ceilDiv(pixels, tilePixels());
    }

    /** Pixels of one tile; only the last one of an image can be short. */
    int pixelsOf(int tile) {
        return Math.min(tilePixels(), pixels - tile * tilePixels());
    }

    /** Index of the first element of a tile of the batch. */
    long first(int image, int tile) {
        return ((long) image * pixels + (long) tile * tilePixels()) * channels;
    }

    /** Bytes that must move: two reads and a write. */
    public long bytes() {
        return 3L * Float.BYTES * batch * pixels * channels;
    }
}
