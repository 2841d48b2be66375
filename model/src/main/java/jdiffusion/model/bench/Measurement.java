package jdiffusion.model.bench;

import java.util.Arrays;
import java.util.List;

/**
 * The times of a {@link Case}.
 *
 * @param seconds   of each run
 * @param flops     of products in each run
 * @param bytes     that each run must read and write at least
 * @param peaks     floating-point operations a second that products could reach, measured before each run; 0 when that
 *                  is not known
 * @param cores     CPU time that the process had for each second of the runs: less than threads where it had to wait
 * @param workspace bytes of temporaries
 * @param products  share of the time in which products ran, where that was measured, else 0
 */
public record Measurement(String part, String what, List<Double> seconds, double flops, double bytes,
                          List<Double> peaks, double cores, long workspace, double products) {
    /** The middle one. */
    public double median() {
        return median(seconds);
    }

    /** Of the peaks. */
    public double peak() {
        return median(peaks);
    }

    /** Share of the peak that products reached. */
    public double ofPeak() {
        return peak() == 0 ? 0 : flops / median() / peak();
    }

    /** From the shortest to the longest time, as a share of the median. */
    public double spread() {
        double[] sorted = sorted(seconds);
        return (sorted[sorted.length - 1] - sorted[0]) / median();
    }

    private static double median(List<Double> values) {
        double[] sorted = sorted(values);
        int half = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    }

    private static double[] sorted(List<Double> values) {
        double[] sorted = values.stream().mapToDouble(Double::doubleValue).toArray();
        Arrays.sort(sorted);
        return sorted;
    }
}
