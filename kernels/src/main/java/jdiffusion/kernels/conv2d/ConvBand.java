package jdiffusion.kernels.conv2d;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Pointwise;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.kernels.cpu.Workers;
import jdiffusion.kernels.groupnorm.CpuGroupNorm;
import jdiffusion.kernels.groupnorm.GroupNormCall;
import jdiffusion.kernels.machine.AmxPanels;
import jdiffusion.kernels.machine.MachinePairs;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/**
 * The band of rows of its input that a convolution is at, copied with their padding in the form in which products read
 * them, and normalised on the way where that is wanted. It counts in words of 32 bits, one number in float32, or two
 * channels in bfloat16 where {@link jdiffusion.kernels.cpu.Products#inPairs}, and lies in an array or in memory. In a
 * split precision it lies in memory, and 32 channels are words of one part after the other.
 */
final class ConvBand {
    /** Numbers that are rounded at a time. */
    private static final int RUN = 4096;
    /** Words up to a multiple of which rounding may write. */
    private static final int LINE = 16;

    private final Cpu cpu;
    private final CpuGroupNorm groupNorm;
    private final Workers.Body copyRow = this::copyRow;

    private Conv2dShape shape;
    private GroupNormCall norm;
    private CpuGroupNorm.Factors factors;
    /** For machine code; null where Java normalises. */
    private float[] channelFactors;
    private Tensor x;
    private int image;
    private int firstRow;
    private int channels;
    private int pixel;
    private int pitch;
    private boolean pairs;
    private int parts;
    /** Whether the input's pixels follow each other without gaps, as those of the band do. */
    private boolean dense;
    private float[] array;
    private MemorySegment memory;

    ConvBand(Cpu cpu) {
        this.cpu = cpu;
        groupNorm = new CpuGroupNorm(cpu);
    }

    /**
     * @param first    null for no norm
     * @param input    [batch, height, width, cin]
     * @param channels of a pixel in the band, at least cin; even, a multiple of 4 in pairs, and of 32 if split
     */
    void begin(GroupNormCall first, Conv2dShape given, Tensor input, int channels) {
        norm = first;
        shape = given;
        x = input;
        this.channels = channels;
        pairs = cpu.products().inPairs();
        parts = cpu.precision().parts();
        pixel = pairs || parts > 1 ? channels / 2 * parts : channels;
        dense = shape.cin() == channels && x.rowStride() == channels;
        // Room behind a row for what rounding writes past its end.
        pitch = shape.width() + shape.padLow() + Math.max(shape.padHigh(), Math.ceilDiv(LINE, pixel));
        channelFactors = null;
    }

    /** Pixels of a row of the band. */
    int pitch() {
        return pitch;
    }

    /** Words of a pixel. */
    int pixel() {
        return pixel;
    }

    /** Goes on to an image of the batch. */
    void image(int index) {
        image = index;
        if (norm != null) {
            Tensor one = x.slice(image, image + 1);
            factors = groupNorm.factors(one, norm.groups(), norm.weight(), norm.bias(), norm.eps(), one);
            if (dense && pairs && channels % (2 * LINE) == 0 && MachinePairs.norms(norm.activation())) {
                channelFactors = cpu.shared(Buffer.STATISTICS, 3 * channels);
                factors.of(0, channelFactors);
            }
        }
    }

    /** Copies what {@code rows} rows of the output from {@code first} on need. */
    void copy(int first, int rows, float[] to) {
        firstRow = first;
        array = to;
        memory = null;
        cpu.workers().run(rows + shape.kernel() - 1, copyRow);
    }

    /** The same into memory; only in pairs or parts. */
    void copy(int first, int rows, MemorySegment to) {
        firstRow = first;
        array = null;
        memory = to;
        cpu.workers().run(rows + shape.kernel() - 1, copyRow);
    }

    void end() {
        norm = null;
        factors = null;
        channelFactors = null;
        x = null;
        array = null;
        memory = null;
    }

    /** A row of the input, with zeros around it. */
    private void copyRow(int row, int worker) {
        int at = row * pitch * pixel;
        int y = firstRow + row - shape.padLow();
        if (y < 0 || y >= shape.height()) {
            clear(at, at + pitch * pixel);
            return;
        }
        int left = shape.padLow() * pixel;
        clear(at, at + left);
        int first = (image * shape.height() + y) * shape.width();
        int step = norm != null ? factors.pixels() : Math.max(1, RUN / channels);
        boolean direct = !pairs && parts == 1;
        float[] run = direct ? array : cpu.local(worker, Buffer.ROW, cpu.products().padded(step * channels));
        for (int done = 0; done < shape.width(); done += step) {
            int count = Math.min(step, shape.width() - done);
            int place = at + left + done * pixel;
            int to = direct ? place : 0;
            if (channelFactors != null) {
                normed(first + done, count, place);
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
            if (parts > 1) {
                cpu.products().amx().split(parts, run, 0, count * channels / AmxPanels.DEPTH, memory,
                        (long) Float.BYTES * place);
            } else if (direct) {
                Widen.round(cpu.precision(), run, to, count * channels);
            } else if (memory != null) {
                cpu.products().roundPairs(run, count * channels, memory, (long) Float.BYTES * place);
            } else {
                cpu.products().roundPairs(run, count * channels, array, place);
            }
        }
        clear(at + left + shape.width() * pixel, at + pitch * pixel);
    }

    private void clear(int from, int to) {
        if (memory != null) {
            memory.asSlice((long) Float.BYTES * from, (long) Float.BYTES * (to - from)).fill((byte) 0);
        } else {
            Arrays.fill(array, from, to, 0f);
        }
    }

    /** By machine code. */
    private void normed(int from, int count, int place) {
        MachinePairs code = cpu.products().pairs();
        if (memory != null) {
            code.normed(norm.activation(), x.data(), x.rowOffset(from), count, channels, channelFactors, memory,
                    (long) Float.BYTES * place);
        } else {
            code.normed(norm.activation(), x.data(), x.rowOffset(from), count, channels, channelFactors, array, place);
        }
    }

    /** Numbers of the input from a pixel on, normalised where that is wanted. */
    private void read(int from, float[] to, int at, int n) {
        Widen.run(x.data(), DType.F32, x.rowOffset(from), to, at, n);
        if (norm != null) {
            factors.apply(0, to, at, n);
            Pointwise.activate(norm.activation(), to, at, n);
        }
    }
}
