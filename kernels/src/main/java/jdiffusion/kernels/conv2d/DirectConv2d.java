package jdiffusion.kernels.conv2d;

import static jdiffusion.kernels.cpu.MicroKernel.MR;
import static jdiffusion.kernels.cpu.MicroKernel.NR;

import java.util.Arrays;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Pointwise;
import jdiffusion.kernels.cpu.TileStore;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.kernels.cpu.Workers;
import jdiffusion.kernels.groupnorm.CpuGroupNorm;
import jdiffusion.kernels.groupnorm.GroupNormCall;
import jdiffusion.kernels.machine.Ahead;
import jdiffusion.kernels.machine.MachinePairs;
import jdiffusion.kernels.machine.Start;
import jdiffusion.tensor.DType;
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
    /** Numbers that are rounded at a time. */
    private static final int RUN = 4096;
    /** Words up to a multiple of which rounding may write. */
    private static final int LINE = 16;
    /** Words of a row that tiles take at a time. */
    private static final int TILE_WORDS = 16;

    private final Cpu cpu;
    private final TileStore store;
    private final Ahead[] ahead;
    private final CpuGroupNorm groupNorm;
    private final KernelPanels kernels;
    private final Workers.Body copyRow = this::copyRow;
    private final Workers.Body multiply = this::multiply;

    private Conv2dShape shape;
    private GroupNormCall norm;
    private CpuGroupNorm.Factors factors;
    /** For machine code; null where Java normalises. */
    private float[] channelFactors;
    private Tensor x;
    private Tensor out;
    private boolean doubled;
    /** Numbers of a pixel in the band, and words. */
    private int channels;
    private int pixel;
    /** Whether the input's pixels follow each other without gaps, as those of the band do. */
    private boolean dense;
    /** Pixels of a row of the band. */
    private int pitch;
    private int side;
    private int outHeight;
    private int outWidth;
    private float[] band;
    private float[] right;
    private float[] bias;
    private int image;
    private int firstRow;
    /** Rows of a panel: what the products take at a time. */
    private int unit;
    private int panels;
    private int groups;
    private int end;

    DirectConv2d(Cpu cpu) {
        this.cpu = cpu;
        store = new TileStore(cpu);
        ahead = new Ahead[cpu.workers().count()];
        Arrays.setAll(ahead, _ -> new Ahead());
        groupNorm = new CpuGroupNorm(cpu);
        kernels = new KernelPanels(cpu);
    }

    static boolean takes(Conv2dShape shape) {
        return shape.stride() == 1;
    }

    /** See {@link CpuConv2d#run}; the stride is 1. */
    void run(Conv2dShape given, Tensor input, Tensor weight, Tensor biasVector, Epilogue epilogue, Tensor out) {
        run(null, given, false, input, weight, biasVector, epilogue, out);
    }

    /** See {@link CpuConv2d#runNormed}: the norm is applied on the way into the band. */
    void runNormed(GroupNormCall first, Conv2dShape given, Tensor input, Tensor weight, Tensor biasVector,
                   Epilogue epilogue, Tensor out) {
        run(first, given, false, input, weight, biasVector, epilogue, out);
    }

    /** See {@link CpuConv2d#runDoubled}; the shape that counts here is that of the image as it is. */
    void runDoubled(Tensor input, Tensor weight, Tensor biasVector, Tensor out) {
        var s = input.shape();
        run(null, Conv2dShape.same(s.dim(0), s.dim(1), s.dim(2), s.dim(3), out.cols(), 3), true, input, weight,
                biasVector, Epilogue.STORE, out);
    }

    private void run(GroupNormCall first, Conv2dShape given, boolean twice, Tensor input, Tensor weight,
                     Tensor biasVector, Epilogue epilogue, Tensor to) {
        norm = first;
        channelFactors = null;
        shape = given;
        doubled = twice;
        x = input;
        boolean pairs = cpu.products().inPairs();
        pixel = Math.ceilDiv(shape.cin(), pairs ? 4 : 2) * 2;
        channels = pairs ? 2 * pixel : pixel;
        dense = shape.cin() == channels && x.rowStride() == channels;
        // Room behind a row for what rounding writes past its end.
        pitch = shape.width() + shape.padLow() + Math.max(shape.padHigh(), Math.ceilDiv(LINE, pixel));
        side = twice ? 2 : shape.kernel();
        outHeight = shape.outHeight();
        outWidth = shape.outWidth();
        int strips = KernelPanels.strips(to.cols());
        bias = cpu.shared(Buffer.ROW, strips * KernelPanels.STRIP);
        Arrays.fill(bias, 0, strips * KernelPanels.STRIP, 0f);
        if (biasVector != null) {
            Widen.vector(biasVector, bias);
        }
        right = kernels.pack(weight, bias, twice, channels);
        out = to;
        store.begin(epilogue, to);
        int row = Math.multiplyExact(pitch, pixel);
        int most = Math.clamp(BAND / row - shape.kernel() + 1, 1, outHeight);
        int rows = Math.ceilDiv(outHeight, Math.ceilDiv(outHeight, most));
        // The last panel may reach past the last row.
        unit = pixel % TILE_WORDS == 0 ? cpu.products().rowUnit() : MR;
        int spare = (unit + MR + side) * pixel;
        band = cpu.shared(Buffer.A_PANEL,
                Math.addExact(Math.multiplyExact(rows + shape.kernel() - 1, row), spare));
        for (image = 0; image < shape.batch(); image++) {
            if (norm != null) {
                Tensor one = x.slice(image, image + 1);
                factors = groupNorm.factors(one, norm.groups(), norm.weight(), norm.bias(), norm.eps(), one);
                if (dense && pairs && channels % (2 * LINE) == 0 && MachinePairs.norms(norm.activation())) {
                    channelFactors = cpu.shared(Buffer.STATISTICS, 3 * channels);
                    factors.of(0, channelFactors);
                }
            }
            for (firstRow = 0; firstRow < outHeight; firstRow += rows) {
                band(Math.min(rows, outHeight - firstRow), strips);
            }
        }
        store.end();
        norm = null;
        factors = null;
        channelFactors = null;
        x = null;
        out = null;
    }

    private void band(int rows, int strips) {
        cpu.workers().run(rows + shape.kernel() - 1, copyRow);
        end = (rows - 1) * pitch + outWidth;
        panels = Math.ceilDiv(end, unit);
        int most = Math.clamp(ITEM / (unit * pixel), LEAST_PANELS * MR / unit, MOST_PANELS * MR / unit);
        groups = Math.ceilDiv(panels, most);
        cpu.workers().run((doubled ? 4 : 1) * strips * groups, multiply);
    }

    /** A row of the input into the band, with zeros around it. */
    private void copyRow(int row, int worker) {
        int at = row * pitch * pixel;
        int y = firstRow + row - shape.padLow();
        if (y < 0 || y >= shape.height()) {
            Arrays.fill(band, at, at + pitch * pixel, 0f);
            return;
        }
        int left = shape.padLow() * pixel;
        Arrays.fill(band, at, at + left, 0f);
        int first = (image * shape.height() + y) * shape.width();
        int step = norm != null ? factors.pixels() : Math.max(1, RUN / channels);
        boolean pairs = cpu.products().inPairs();
        float[] run = pairs ? cpu.local(worker, Buffer.ROW, cpu.products().padded(step * channels)) : band;
        for (int done = 0; done < shape.width(); done += step) {
            int count = Math.min(step, shape.width() - done);
            int place = at + left + done * pixel;
            int to = pairs ? 0 : place;
            if (channelFactors != null) {
                cpu.products().pairs().normed(norm.activation(), x.data(), x.rowOffset(first + done), count, channels,
                        channelFactors, band, place);
                continue;
            }
            if (dense) {
                read(first + done, run, to, count * channels);
            } else {
                for (int p = 0; p < count; p++) {
                    read(first + done + p, run, to + p * channels, shape.cin());
                    Arrays.fill(run, to + p * channels + shape.cin(), to + (p + 1) * channels, 0f);
                }
            }
            if (pairs) {
                cpu.products().roundPairs(run, count * channels, band, place);
            } else {
                Widen.round(cpu.precision(), run, to, count * channels);
            }
        }
        Arrays.fill(band, at + left + shape.width() * pixel, at + pitch * pixel, 0f);
    }

    /** Numbers of the input from a pixel on, normalised where that is wanted. */
    private void read(int from, float[] to, int at, int n) {
        Widen.run(x.data(), DType.F32, x.rowOffset(from), to, at, n);
        if (norm != null) {
            factors.apply(0, to, at, n);
            Pointwise.activate(norm.activation(), to, at, n);
        }
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
        int rows = count * unit;
        int from = (first * unit + set / 2 * pitch + set % 2) * pixel;
        float[] tiles = cpu.local(worker, Buffer.TILE, (rows + MR) * width);
        boolean onTiles = width == NR && unit != MR;
        for (int column = 0; column < columns; column += width) {
            int kernel = kernels.at(set, strip, column);
            int channel = strip * KernelPanels.STRIP + column;
            for (int r = 0; r < rows && onTiles; r++) {
                System.arraycopy(bias, channel, tiles, r * width, width);
            }
            Ahead next = ahead[worker];
            next.nothingToWrite();
            for (int y = 0; y < side; y++) {
                Start start = y == 0 ? Start.ROW_BEFORE : Start.SUMS;
                int left = from + y * pitch * pixel;
                int panel = kernel + y * steps * width;
                if (y == side - 1) {
                    int pixels = pixelOf(set, firstRow + first * unit / pitch, first * unit % pitch);
                    next.toWrite(out.data(), out.rowOffset(pixels) + 4L * channel, apart() * out.rowOffset(1));
                }
                if (onTiles) {
                    cpu.products().multiplyRows(Start.SUMS, rows, steps, band, left, pixel, right, panel, tiles, 0);
                } else if (width == NR) {
                    multiply(start, rows, steps, left, panel, tiles, next);
                } else {
                    multiplyNarrow(start, width, rows, steps, left, panel, tiles);
                }
            }
            store(set, first * unit, rows, tiles, width, channel, Math.min(width, columns - column));
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
