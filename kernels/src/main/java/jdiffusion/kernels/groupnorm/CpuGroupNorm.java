package jdiffusion.kernels.groupnorm;

import java.util.Arrays;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Operands;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Elements;
import jdiffusion.kernels.cpu.Pointwise;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.tensor.Tensor;

/**
 * GroupNorm, Wu and He (2018), channels last.
 *
 * <p>Three passes: mean and squared deviation of every tile about its own mean; those of a group joined in the order
 * of its tiles; the normalisation. So memory is read twice, and neither a large offset nor a million pixels cost
 * accuracy.
 *
 * <p>All loops run over chunks of a few pixels, and whatever belongs to a channel is repeated for each pixel of a
 * chunk: with one index for all arrays, C2 vectorises them without help.
 */
public final class CpuGroupNorm {
    private final Cpu cpu;

    public CpuGroupNorm(Cpu cpu) {
        this.cpu = cpu;
    }

    /** See {@link jdiffusion.kernels.Backend#groupNorm}; weight and bias may be null. */
    public void run(Tensor x, int groups, Tensor weight, Tensor bias, float eps, Activation activation, Tensor out) {
        Operands.float32OrBf16("groupNorm", x, out);
        Factors factors = factors(x, groups, weight, bias, eps, out);
        GroupNormShape s = factors.shape;
        cpu.workers().run(s.batch() * s.tiles(), (item, worker) -> {
            int image = item / s.tiles();
            int tile = item % s.tiles();
            float[] v = cpu.local(worker, Buffer.ROW, s.chunk());
            long first = s.first(image, tile);
            int elements = s.pixelsOf(tile) * s.channels();
            for (int done = 0; done < elements; done += s.chunk()) {
                int n = Math.min(s.chunk(), elements - done);
                Elements.read(x, first + done, n, v, 0);
                factors.apply(image, v, 0, n);
                Pointwise.activate(activation, v, 0, n);
                Elements.write(v, 0, out, first + done, n);
            }
        });
    }

    /** Each channel's part in the normalisation of its elements; valid until the next call of this class. */
    public static final class Factors {
        private final GroupNormShape shape;
        private final float[] mean;
        private final float[] gain;
        private final float[] offset;

        private Factors(GroupNormShape shape, float[] mean, float[] gain, float[] offset) {
            this.shape = shape;
            this.mean = mean;
            this.gain = gain;
            this.offset = offset;
        }

        /** Whole pixels that {@link #apply} takes at once. */
        public int pixels() {
            return shape.chunkPixels();
        }

        /** For each channel of an image x what makes (x + a) * b + c of it: [3][channels]. */
        public void of(int image, float[] to) {
            int channels = shape.channels();
            int from = image * shape.chunk();
            for (int c = 0; c < channels; c++) {
                to[c] = -mean[from + c];
            }
            System.arraycopy(gain, from, to, channels, channels);
            System.arraycopy(offset, from, to, 2 * channels, channels);
        }

        /** Normalises {@code n} numbers of an image, which begin with a pixel. */
        public void apply(int image, float[] v, int at, int n) {
            normalize(v, at, n, mean, gain, offset, image * shape.chunk());
        }
    }

    /**
     * The first two passes.
     *
     * @param out of x's shape; only that is looked at
     */
    public Factors factors(Tensor x, int groups, Tensor weight, Tensor bias, float eps, Tensor out) {
        GroupNormShape s = GroupNormShape.of(x, groups, weight, bias, out);
        float[] statistics = cpu.shared(Buffer.STATISTICS, 2 * groups * Math.multiplyExact(s.batch(), s.tiles()));
        cpu.workers().run(s.batch() * s.tiles(), (item, worker) -> describe(s, x, item, worker, statistics));

        float[] mean = cpu.shared(Buffer.SUMS, s.batch() * s.chunk());
        float[] gain = cpu.shared(Buffer.SCORES, s.batch() * s.chunk());
        float[] offset = cpu.shared(Buffer.TILE, s.batch() * s.chunk());
        parameters(s, weight, bias, gain, offset);
        for (int image = 0; image < s.batch(); image++) {
            for (int group = 0; group < groups; group++) {
                join(s, image, group, eps, statistics, mean, gain);
            }
            int from = image * s.chunk();
            repeat(mean, from, s);
            repeat(gain, from, s);
            repeat(offset, from, s);
        }
        return new Factors(s, mean, gain, offset);
    }

    /** Writes a tile's mean, and its squared deviations from it, for every group to [batch, tiles, groups, 2]. */
    private void describe(GroupNormShape s, Tensor x, int item, int worker, float[] statistics) {
        int chunk = s.chunk();
        float[] v = cpu.local(worker, Buffer.ROW, chunk);
        float[] sums = cpu.local(worker, Buffer.SUMS, chunk);
        float[] squares = cpu.local(worker, Buffer.TILE, chunk);
        float[] centre = cpu.local(worker, Buffer.STATISTICS, chunk);
        int pixels = s.pixelsOf(item % s.tiles());
        long first = s.first(item / s.tiles(), item % s.tiles());
        int elements = pixels * s.channels();
        double count = (double) pixels * s.groupSize();

        Arrays.fill(sums, 0, chunk, 0);
        for (int done = 0; done < elements; done += chunk) {
            int n = Math.min(chunk, elements - done);
            Elements.read(x, first + done, n, v, 0);
            add(v, n, sums);
        }
        for (int group = 0; group < s.groups(); group++) {
            float mean = (float) (groupSum(sums, group, s) / count);
            Arrays.fill(centre, group * s.groupSize(), (group + 1) * s.groupSize(), mean);
        }
        repeat(centre, 0, s);

        Arrays.fill(sums, 0, chunk, 0);
        Arrays.fill(squares, 0, chunk, 0);
        for (int done = 0; done < elements; done += chunk) {
            int n = Math.min(chunk, elements - done);
            Elements.read(x, first + done, n, v, 0);
            addDeviations(v, n, centre, sums, squares);
        }
        for (int group = 0; group < s.groups(); group++) {
            // The centre is a rounded mean: what is left of the sum corrects both results, Chan et al. (1983).
            double rest = groupSum(sums, group, s);
            int at = 2 * (item * s.groups() + group);
            statistics[at] = (float) (centre[group * s.groupSize()] + rest / count);
            statistics[at + 1] = (float) (groupSum(squares, group, s) - rest * rest / count);
        }
    }

    /** Mean and gain of a group's channels, from all tiles of the image: Chan, Golub and LeVeque's update (1979). */
    private static void join(GroupNormShape s, int image, int group, float eps, float[] statistics, float[] mean,
                             float[] gain) {
        double count = 0;
        double centre = 0;
        double squares = 0;
        for (int tile = 0; tile < s.tiles(); tile++) {
            int at = 2 * ((image * s.tiles() + tile) * s.groups() + group);
            double more = (double) s.pixelsOf(tile) * s.groupSize();
            double step = statistics[at] - centre;
            double share = more / (count + more);
            centre += step * share;
            squares += statistics[at + 1] + step * step * count * share;
            count += more;
        }
        double inverse = 1 / Math.sqrt(squares / count + eps);
        int from = image * s.chunk() + group * s.groupSize();
        for (int i = from; i < from + s.groupSize(); i++) {
            mean[i] = (float) centre;
            gain[i] = (float) (gain[i] * inverse);
        }
    }

    /** Weight and bias into the first pixel of every image's chunk. */
    private static void parameters(GroupNormShape s, Tensor weight, Tensor bias, float[] gain, float[] offset) {
        int c = s.channels();
        for (int from = 0; from < s.batch() * s.chunk(); from += s.chunk()) {
            if (weight == null) {
                Arrays.fill(gain, from, from + c, 1);
            } else {
                Widen.run(weight.data(), weight.type(), 0, gain, from, c);
            }
            if (bias == null) {
                Arrays.fill(offset, from, from + c, 0);
            } else {
                Widen.run(bias.data(), bias.type(), 0, offset, from, c);
            }
        }
    }

    /** Copies a chunk's first pixel to the others. */
    private static void repeat(float[] chunk, int from, GroupNormShape s) {
        for (int at = s.channels(); at < s.chunk(); at += s.channels()) {
            System.arraycopy(chunk, from, chunk, from + at, s.channels());
        }
    }

    private static double groupSum(float[] sums, int group, GroupNormShape s) {
        double sum = 0;
        for (int pixel = group * s.groupSize(); pixel < s.chunk(); pixel += s.channels()) {
            for (int i = pixel; i < pixel + s.groupSize(); i++) {
                sum += sums[i];
            }
        }
        return sum;
    }

    private static void add(float[] v, int n, float[] sums) {
        for (int i = 0; i < n; i++) {
            sums[i] += v[i];
        }
    }

    private static void addDeviations(float[] v, int n, float[] centre, float[] sums, float[] squares) {
        for (int i = 0; i < n; i++) {
            float d = v[i] - centre[i];
            sums[i] += d;
            squares[i] += d * d;
        }
    }

    private static void normalize(float[] v, int at, int n, float[] mean, float[] gain, float[] offset, int from) {
        for (int i = 0; i < n; i++) {
            v[at + i] = (v[at + i] - mean[from + i]) * gain[from + i] + offset[from + i];
        }
    }
}
