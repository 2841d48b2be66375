package jdiffusion.kernels.conv2d;

import static jdiffusion.kernels.cpu.MicroKernel.NR;
import static jdiffusion.kernels.cpu.Simd.LANES;

import java.util.Arrays;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Transpose;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.kernels.cpu.Workers;
import jdiffusion.tensor.Tensor;

/**
 * The kernels of a convolution, packed to be the right operand of {@link jdiffusion.kernels.cpu.Products}: for each
 * strip of {@link #STRIP} output channels tiles [rows of the kernel][columns of it][channel in words][width] one after
 * the other, and before each its [width] biases.
 *
 * <p>For a convolution of a doubled image these are four sets of 2x2 kernels, one for each place in a square of four
 * output pixels: doubling by repetition lets pairs of taps see the same pixel, so their weights are added.
 */
final class KernelPanels {
    /** Output channels of an item of work. */
    static final int STRIP = 64;
    /** Kernels that are packed at a time. */
    private static final int ROWS = LANES;
    /** Places in a square of a doubled pixel. */
    private static final int PLACES = 4;

    private final Cpu cpu;
    private final Workers.Body pack = this::pack;

    private Tensor weight;
    private float[] bias;
    private int cin;
    private int cout;
    private int stored;
    private int side;
    private int sets;
    private int channels;
    private int words;
    private float[] panels;

    KernelPanels(Cpu cpu) {
        this.cpu = cpu;
    }

    /**
     * Packs into the buffer that stays valid for the call.
     *
     * @param weights [cout, cin, n, n]
     * @param biases  [strips * STRIP]
     * @param doubled whether n is 3 and the image is to be seen as doubled
     * @param padded  numbers of a pixel, at least cin
     */
    float[] pack(Tensor weights, float[] biases, boolean doubled, int padded) {
        weight = weights;
        bias = biases;
        cout = weights.shape().dim(0);
        cin = weights.shape().dim(1);
        stored = weights.shape().dim(2);
        side = doubled ? 2 : stored;
        sets = doubled ? PLACES : 1;
        channels = padded;
        words = side * side * channels / (cpu.products().inPairs() ? 2 : 1);
        panels = cpu.shared(Buffer.B_PANEL, Math.multiplyExact(sets * strips(), STRIP * (words + 1)));
        cpu.workers().run(sets * strips() * (STRIP / ROWS), pack);
        weight = null;
        bias = null;
        return panels;
    }

    int strips() {
        return strips(cout);
    }

    /** Strips of so many output channels. */
    static int strips(int channels) {
        return Math.ceilDiv(channels, STRIP);
    }

    /** Where the tile of the columns from a multiple of the strip's width on begins, behind its biases. */
    int at(int set, int strip, int column) {
        return ((set * strips() + strip) * STRIP + column) * (words + 1) + width(strip);
    }

    /** Columns of a strip that are there. */
    int columns(int strip) {
        return Math.min(STRIP, cout - strip * STRIP);
    }

    /** Columns of each of a strip's tiles. */
    int width(int strip) {
        return columns(strip) <= LANES ? LANES : NR;
    }

    private void pack(int item, int worker) {
        int first = item % (STRIP / ROWS) * ROWS;
        int strip = item / (STRIP / ROWS) % strips();
        int set = item / (STRIP / ROWS) / strips();
        int width = width(strip);
        if (first >= Math.ceilDiv(columns(strip), width) * width) {
            return;
        }
        // Not a multiple of a page apart, for the cache's sake.
        int stride = Math.ceilDiv(words, LANES) * LANES + LANES;
        float[] rows = cpu.local(worker, Buffer.A_PANEL, ROWS * stride);
        float[] square = cpu.local(worker, Buffer.SUMS, LANES * LANES);
        float[] kernel = cpu.local(worker, Buffer.ROW, cpu.products().padded(side * side * channels));
        for (int r = 0; r < ROWS; r++) {
            if (first + r >= columns(strip)) {
                Arrays.fill(rows, r * stride, r * stride + words, 0f);
                continue;
            }
            kernel(set, strip * STRIP + first + r, kernel, worker);
            if (cpu.products().inPairs()) {
                cpu.products().roundPairs(kernel, side * side * channels, rows, r * stride);
            } else {
                Widen.round(cpu.precision(), kernel, 0, words);
                System.arraycopy(kernel, 0, rows, r * stride, words);
            }
        }
        int to = at(set, strip, first / width * width) + first % width;
        System.arraycopy(bias, strip * STRIP + first, panels, to - width, ROWS);
        Transpose.run(ROWS, words, rows, 0, stride, panels, to, width, square);
    }

    /** The kernel of one output channel in float32, [side][side][channels]. */
    private void kernel(int set, int row, float[] to, int worker) {
        int area = stored * stored;
        float[] from = cpu.local(worker, Buffer.TILE, cin * area);
        Widen.run(weight.data(), weight.type(), (long) row * cin * area * weight.type().bytes(), from, 0, cin * area);
        Arrays.fill(to, 0, side * side * channels, 0f);
        for (int tap = 0; tap < area; tap++) {
            int y = sets == 1 ? tap / stored : joined(tap / stored, set / 2);
            int x = sets == 1 ? tap % stored : joined(tap % stored, set % 2);
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
