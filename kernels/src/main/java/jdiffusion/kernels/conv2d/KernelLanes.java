package jdiffusion.kernels.conv2d;

import static jdiffusion.kernels.cpu.Simd.LANES;

import java.util.Arrays;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.LaneRows;
import jdiffusion.kernels.cpu.Transpose;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.tensor.Tensor;

/**
 * Packs the kernels of as many output channels as a vector has lanes. They are read in runs, in the order in which they
 * are stored, and transposed: then a vector holds one number of each, and whole vectors are put where they belong.
 */
final class KernelLanes {
    /** Numbers of a kernel that are packed at a time, about: those of all lanes stay in the caches next to a core. */
    private static final int NUMBERS = 640;
    /** What the channels that are packed at a time are a multiple of, as those of a step on tiles. */
    private static final int MULTIPLE = 32;

    private final Cpu cpu;

    KernelLanes(Cpu cpu) {
        this.cpu = cpu;
    }

    /** Input channels that are packed at a time. */
    static int channels(KernelRows kernels) {
        return Math.max(MULTIPLE, NUMBERS / kernels.storedTaps() / MULTIPLE * MULTIPLE);
    }

    /**
     * Packs {@link #channels} input channels, or those that are left, of the kernels of LANES output channels. A word
     * is one number in float32, or two channels in bfloat16 where {@link jdiffusion.kernels.cpu.Products#inPairs}.
     *
     * @param first   output channel; behind the last one are zeros
     * @param channel the first input channel, a multiple of {@link #channels}
     * @param at      where the first word of the first tap goes
     * @param width   distance of words
     * @param ofTap   distance of taps
     * @param ofSet   distance of sets
     */
    void pack(KernelRows kernels, int first, int channel, int worker, float[] to, int at, int width, int ofTap,
              int ofSet) {
        Tensor weight = kernels.weight();
        int cin = weight.shape().dim(1);
        int stored = kernels.storedTaps();
        int most = channels(kernels);
        int count = Math.min(most, kernels.channels() - channel);
        int numbers = Math.clamp(cin - channel, 0, count) * stored;
        // Not a multiple of a page apart, for the cache's sake.
        int stride = most * stored + LANES;
        float[] rows = cpu.local(worker, Buffer.A_PANEL, LANES * stride);
        for (int r = 0; r < LANES; r++) {
            if (first + r < kernels.cout()) {
                long from = ((long) (first + r) * cin + channel) * stored;
                Widen.run(weight.data(), weight.type(), from * weight.type().bytes(), rows, r * stride, numbers);
            } else {
                Arrays.fill(rows, r * stride, r * stride + numbers, 0f);
            }
        }
        float[] columns = cpu.local(worker, Buffer.TILE, most * stored * LANES);
        Transpose.run(LANES, numbers, rows, 0, stride, columns, 0, LANES,
                cpu.local(worker, Buffer.SUMS, LANES * LANES));
        Arrays.fill(columns, numbers * LANES, count * stored * LANES, 0f);
        int[][] joined = kernels.joined();
        float[] values = columns;
        int taps = stored;
        if (joined != null) {
            taps = joined.length;
            values = cpu.local(worker, Buffer.SCORES, most * taps * LANES);
            LaneRows.sums(count, stored, joined, columns, values);
        }
        boolean pairs = cpu.products().inPairs();
        if (!pairs) {
            Widen.round(cpu.precision(), values, 0, count * taps * LANES);
        }
        int tapsOfSet = taps / kernels.sets();
        for (int tap = 0; tap < taps; tap++) {
            int target = at + tap / tapsOfSet * ofSet + tap % tapsOfSet * ofTap;
            if (pairs) {
                LaneRows.copyPairs(count / 2, values, tap * LANES, taps, to, target, width);
            } else {
                LaneRows.copy(count, values, tap * LANES, taps, to, target, width);
            }
        }
    }
}
