package jdiffusion.kernels.conv2d;

/** The convolutions that tests and benchmarks run. */
final class Conv2dCases {
    /** Around the edges of tiles, padding, and chunks of pixels; few channels at either end. */
    static final Conv2dShape[] RAGGED = {
        Conv2dShape.same(1, 1, 1, 1, 1, 1), Conv2dShape.same(2, 5, 7, 3, 65, 3), Conv2dShape.same(1, 9, 6, 64, 3, 3),
        Conv2dShape.same(1, 4, 13, 17, 63, 1), new Conv2dShape(1, 8, 10, 5, 7, 3, 2, 0, 1),
        new Conv2dShape(2, 9, 7, 5, 6, 3, 2, 1, 1), new Conv2dShape(1, 7, 7, 4, 5, 2, 2, 0, 0),
        new Conv2dShape(1, 3, 3, 2, 4, 3, 1, 2, 4), Conv2dShape.same(1, 2, 1, 70, 9, 5),
        Conv2dShape.same(1, 47, 49, 128, 5, 3),
    };

    /** What an autoencoder runs: a block at full size, the last convolution, and a shortcut. */
    static final Conv2dShape[] REAL = {
        Conv2dShape.same(1, 128, 128, 64, 64, 3), Conv2dShape.same(1, 64, 64, 256, 256, 3),
        Conv2dShape.same(1, 128, 128, 64, 3, 3), Conv2dShape.same(1, 128, 128, 128, 64, 1),
    };

    private Conv2dCases() {
    }
}
