package jdiffusion.kernels.conv2d;

import java.util.Arrays;
import java.util.stream.IntStream;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/**
 * The kernels of a convolution one by one in float32, in the order (y, x, channel), channels filled up with zeros.
 *
 * <p>For a convolution of a doubled image these are four sets of 2x2 kernels, one for each place in a square of four
 * output pixels: doubling by repetition lets pairs of taps see the same pixel, so their weights are added.
 *
 * @param weight   [cout, cin, n, n]
 * @param doubled  whether n is 3 and the image is to be seen as doubled
 * @param channels of a tap, at least cin
 */
record KernelRows(Tensor weight, boolean doubled, int channels) {
    /** Places in a square of a doubled pixel. */
    private static final int PLACES = 4;
    /** The taps of a kernel of three that are added for each tap [set][y][x] of those for a doubled image. */
    private static final int[][] JOINED = new int[PLACES * 4][];

    static {
        for (int i = 0; i < JOINED.length; i++) {
            int set = i / 4;
            int y = i / 2 % 2;
            int x = i % 2;
            JOINED[i] = IntStream.range(0, 9)
                    .filter(tap -> joined(tap / 3, set / 2) == y && joined(tap % 3, set % 2) == x).toArray();
        }
    }

    int sets() {
        return doubled ? PLACES : 1;
    }

    int cout() {
        return weight.shape().dim(0);
    }

    /** Taps of a kernel's row. */
    int side() {
        return doubled ? 2 : weight.shape().dim(2);
    }

    /** Taps of a kernel as it is stored. */
    int storedTaps() {
        return weight.shape().dim(2) * weight.shape().dim(3);
    }

    /** For each tap of each set those of the stored kernel that are added for it, in order; null for it alone. */
    int[][] joined() {
        return doubled ? JOINED : null;
    }

    /** Significant bits that numbers of {@link #read} have at most. */
    int bits() {
        return doubled ? DType.F32.significantBits() : weight.type().significantBits();
    }

    /** The kernel of one output channel: [side][side][channels]. */
    void read(Cpu cpu, int set, int row, float[] to, int worker) {
        int stored = weight.shape().dim(2);
        int area = stored * stored;
        int cin = weight.shape().dim(1);
        int side = side();
        float[] from = cpu.local(worker, Buffer.TILE, cin * area);
        Widen.run(weight.data(), weight.type(), (long) row * cin * area * weight.type().bytes(), from, 0, cin * area);
        Arrays.fill(to, 0, side * side * channels, 0f);
        for (int tap = 0; tap < area; tap++) {
            int y = doubled ? joined(tap / stored, set / 2) : tap / stored;
            int x = doubled ? joined(tap % stored, set % 2) : tap % stored;
            int at = (y * side + x) * channels;
            for (int c = 0; c < cin; c++) {
                to[at + c] += from[c * area + tap];
            }
        }
    }

    /**
     * Which of the two pixels under an axis of a kernel of three a tap sees: of the first of two equal pixels the taps
     * see the one before and twice itself, of the second twice itself and the one after.
     */
    private static int joined(int tap, int place) {
        return (tap + 1 - place) / 2;
    }
}
