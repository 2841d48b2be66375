package jdiffusion.kernels.conv2d;

import static jdiffusion.kernels.cpu.MicroKernel.MR;
import static jdiffusion.kernels.cpu.MicroKernel.NR;

import java.util.Arrays;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.TileStore;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.kernels.cpu.Workers;
import jdiffusion.kernels.groupnorm.GroupNormCall;
import jdiffusion.kernels.machine.Ahead;
import jdiffusion.kernels.machine.Start;
import jdiffusion.tensor.Tensor;

/**
 * Convolution of stride 1 on the CPU without gathering patches. A band of input rows is copied once, with its padding,
 * in the form in which products read it; there the pixels under a row of the kernel follow each other, so that the left
 * operand of a product are overlapping runs of the band itself, one pixel apart. What is computed where a run crosses
 * the end of a row is dropped.
 *
 * <p>Each sum starts from its bias and is one chain in the order (y, x, channel). All of this counts in words of 32
 * bits, one number in float32, or two channels in bfloat16 where {@link jdiffusion.kernels.cpu.Products#inPairs}.
 */
final class DirectConv2d {
    /** Words of a band, 8 MiB. */
    private static final int BAND = 1 << 21;
    /** Words of the band that an item reads: with the kernels' row and its sums they stay in the second-level cache. */
    private static final int ITEM = 3 << 15;
    private static final int MOST_PANELS = 64;
    private static final int LEAST_PANELS = 16;
    /** Steps of a call times its panels, some microseconds. */
    private static final int CALL = 6144;

    private final Cpu cpu;
    private final TileStore store;
    private final Ahead[] ahead;
    private final ConvBand input;
    private final KernelPanels kernels;
    private final Workers.Body multiply = this::multiply;

    private Conv2dShape shape;
    private Tensor out;
    private boolean doubled;
    /** Words of a pixel in the band. */
    private int pixel;
    /** Pixels of a row of the band. */
    private int pitch;
    private int side;
    private int outHeight;
    private int outWidth;
    private float[] band;
    private float[] right;
    private int image;
    private int firstRow;
    private int panels;
    private int groups;
    private int end;

    DirectConv2d(Cpu cpu) {
        this.cpu = cpu;
        store = new TileStore(cpu);
        ahead = new Ahead[cpu.workers().count()];
        Arrays.setAll(ahead, _ -> new Ahead());
        input = new ConvBand(cpu);
        kernels = new KernelPanels(cpu);
    }

    static boolean takes(Conv2dShape shape) {
        return shape.stride() == 1;
    }

    /**
     * See {@link CpuConv2d}; the stride is 1.
     *
     * @param norm  of the input, applied on the way into the band; null for none
     * @param twice whether the image is to be seen as doubled; the shape is that of the image as it is
     */
    void run(GroupNormCall norm, Conv2dShape given, boolean twice, Tensor x, Tensor weight, Tensor bias,
             Epilogue epilogue, Tensor to) {
        shape = given;
        doubled = twice;
        int multiple = cpu.products().inPairs() ? 4 : 2;
        int channels = Math.ceilDiv(shape.cin(), multiple) * multiple;
        input.begin(norm, shape, x, channels);
        pixel = input.pixel();
        pitch = input.pitch();
        side = twice ? 2 : shape.kernel();
        outHeight = shape.outHeight();
        outWidth = shape.outWidth();
        int strips = KernelPanels.strips(to.cols());
        right = kernels.pack(new KernelRows(weight, twice, channels));
        boolean biasForEach = Conv2dShape.hasBiasForEachImage(bias);
        out = to;
        store.begin(epilogue, to);
        int row = Math.multiplyExact(pitch, pixel);
        int most = Math.clamp(BAND / row - shape.kernel() + 1, 1, outHeight);
        int rows = Math.ceilDiv(outHeight, Math.ceilDiv(outHeight, most));
        // The last panel may reach past the last row.
        int spare = (2 * MR + side) * pixel;
        band = cpu.shared(Buffer.A_PANEL,
                Math.addExact(Math.multiplyExact(rows + shape.kernel() - 1, row), spare));
        for (image = 0; image < shape.batch(); image++) {
            input.image(image);
            if (image == 0 || biasForEach) {
                bias(Conv2dShape.biasOf(bias, image), strips);
            }
            for (firstRow = 0; firstRow < outHeight; firstRow += rows) {
                band(Math.min(rows, outHeight - firstRow), strips);
            }
        }
        store.end();
        input.end();
        out = null;
    }

    private void bias(Tensor vector, int strips) {
        float[] bias = cpu.shared(Buffer.ROW, strips * KernelPanels.STRIP);
        Arrays.fill(bias, 0, strips * KernelPanels.STRIP, 0f);
        if (vector != null) {
            Widen.vector(vector, bias);
        }
        kernels.bias(sets(), bias);
    }

    private void band(int rows, int strips) {
        input.copy(firstRow, rows, band);
        end = (rows - 1) * pitch + outWidth;
        panels = Math.ceilDiv(end, MR);
        groups = Math.ceilDiv(panels, Math.clamp(ITEM / (MR * pixel), LEAST_PANELS, MOST_PANELS));
        cpu.workers().run(sets() * strips * groups, multiply);
    }

    private void multiply(int item, int worker) {
        int group = item % groups;
        int strip = item / groups % kernels.strips();
        int set = item / groups / kernels.strips();
        int first = (int) ((long) panels * group / groups);
        int count = (int) ((long) panels * (group + 1) / groups) - first;
        int width = kernels.width(strip);
        int columns = kernels.columns(strip);
        int steps = side * pixel;
        int rows = count * MR;
        int from = (first * MR + set / 2 * pitch + set % 2) * pixel;
        float[] tiles = cpu.local(worker, Buffer.TILE, (rows + MR) * width);
        for (int column = 0; column < columns; column += width) {
            int kernel = kernels.at(set, strip, column);
            int channel = strip * KernelPanels.STRIP + column;
            Ahead next = ahead[worker];
            next.nothingToWrite();
            for (int y = 0; y < side; y++) {
                Start start = y == 0 ? Start.ROW_BEFORE : Start.SUMS;
                int left = from + y * pitch * pixel;
                int panel = kernel + y * steps * width;
                if (y == side - 1) {
                    int pixels = pixelOf(set, firstRow + first * MR / pitch, first * MR % pitch);
                    next.toWrite(out.data(), out.rowOffset(pixels) + 4L * channel, apart() * out.rowOffset(1));
                }
                if (width == NR) {
                    multiply(start, rows, steps, left, panel, tiles, next);
                } else {
                    multiplyNarrow(start, width, rows, steps, left, panel, tiles);
                }
            }
            store(set, first * MR, rows, tiles, width, channel, Math.min(width, columns - column));
        }
    }

    private void multiply(Start start, int rows, int steps, int left, int panel, float[] tiles, Ahead next) {
        int count = Math.ceilDiv(rows, MR);
        int most = Math.max(1, CALL / steps);
        for (int p = 0; p < count; p += most) {
            int panels = Math.min(most, count - p);
            cpu.products().multiply(start, panels, steps, band, left + p * MR * pixel, pixel, right, panel, tiles,
                    p * MR * NR, next);
            next.advance(panels);
        }
    }

    private void multiplyNarrow(Start start, int width, int rows, int steps, int left, int panel, float[] tiles) {
        for (int r = 0; r < rows; r += MR) {
            cpu.products().multiplyNarrow(start, steps, band, left + r * pixel, pixel, right, panel, tiles, r * width);
        }
    }

    private int sets() {
        return doubled ? 4 : 1;
    }

    /** Pixels of the output from one to the next of a set. */
    private int apart() {
        return doubled ? 2 : 1;
    }

    /** Stores the sums of the band's places from {@code first} on that are pixels. */
    private void store(int set, int first, int count, float[] tiles, int width, int column, int columns) {
        int all = Math.min(count, end - first);
        int run;
        for (int i = 0; i < all; i += run) {
            int y = (first + i) / pitch;
            int place = (first + i) % pitch;
            run = Math.min(pitch - place, all - i);
            int pixels = Math.min(outWidth - place, run);
            if (pixels > 0) {
                store.rows(tiles, i * width, width, pixelOf(set, firstRow + y, place), pixels, apart(), column,
                        columns);
            }
        }
    }

    private int pixelOf(int set, int y, int place) {
        return doubled ? ((image * outHeight + y) * 2 + set / 2) * 2 * outWidth + 2 * place + set % 2
                : (image * outHeight + y) * outWidth + place;
    }
}
