package jdiffusion.model.sampling;

import java.util.Arrays;
import jdiffusion.tensor.InputException;

/**
 * The schedules of the command line over a table of levels, as ComfyUI's {@code comfy/samplers.py} and k-diffusion
 * compute them; the last three are diffusers' spacings of timesteps.
 */
final class NamedSchedule {
    private static final double RHO = 7;
    private static final double BETA_SHAPE = 0.6;
    /** Of {@link TimestepSpacing#LEADING}: the published Stable Diffusion's. */
    private static final int OFFSET = 1;

    private NamedSchedule() {
    }

    /** The levels without the final 0; {@code ddim_uniform} and {@code beta} may give one more or some fewer. */
    static double[] levels(SigmaSchedule schedule, int steps, NoiseTable table) {
        return switch (schedule) {
            case NORMAL, DISCRETE -> evenly(table, steps, steps);
            case SGM_UNIFORM -> evenly(table, steps + 1, steps);
            case SIMPLE -> {
                double stride = (double) table.size() / steps;
                double[] levels = new double[steps];
                for (int i = 0; i < steps; i++) {
                    levels[i] = table.level(table.size() - 1 - (int) (i * stride));
                }
                yield levels;
            }
            case KARRAS -> {
                double low = Math.pow(table.lowest(), 1 / RHO);
                double high = Math.pow(table.highest(), 1 / RHO);
                yield ramp(steps, share -> Math.pow(high + share * (low - high), RHO));
            }
            case EXPONENTIAL -> {
                double low = Math.log(table.lowest());
                double high = Math.log(table.highest());
                yield ramp(steps, share -> Math.exp(high + share * (low - high)));
            }
            case KL_OPTIMAL -> {
                double low = Math.atan(table.lowest());
                double high = Math.atan(table.highest());
                yield ramp(steps, share -> Math.tan(share * low + (1 - share) * high));
            }
            case BETA -> beta(steps, table);
            case DDIM_UNIFORM -> ddimUniform(steps, table);
            case TRAILING -> spaced(TimestepSpacing.TRAILING, steps, table);
            case LEADING -> spaced(TimestepSpacing.LEADING, steps, table);
            case LINSPACE -> spaced(TimestepSpacing.LINSPACE, steps, table);
        };
    }

    /** Of {@code count} equal steps in the index, both ends included, the first {@code taken}. */
    private static double[] evenly(NoiseTable table, int count, int taken) {
        float[] places = BetaTable.linspace(table.size() - 1, 0, count);
        double[] levels = new double[taken];
        for (int i = 0; i < taken; i++) {
            levels[i] = table.levelAt(count == 1 ? table.size() - 1 : places[i]);
        }
        return levels;
    }

    private interface Ramp {
        double level(double share);
    }

    private static double[] ramp(int steps, Ramp ramp) {
        double[] levels = new double[steps];
        for (int i = 0; i < steps; i++) {
            levels[i] = ramp.level(steps == 1 ? 0 : (double) i / (steps - 1));
        }
        return levels;
    }

    private static double[] beta(int steps, NoiseTable table) {
        double[] levels = new double[steps];
        int count = 0;
        int last = -1;
        for (int i = 0; i < steps; i++) {
            double quantile = BetaQuantile.of(1 - (double) i / steps, BETA_SHAPE, BETA_SHAPE);
            int index = (int) Math.rint(quantile * (table.size() - 1));
            if (index != last) {
                levels[count++] = table.level(index);
            }
            last = index;
        }
        return Arrays.copyOf(levels, count);
    }

    private static double[] ddimUniform(int steps, NoiseTable table) {
        int stride = Math.max(table.size() / steps, 1);
        int count = Math.ceilDiv(table.size() - 1, stride);
        double[] levels = new double[count];
        for (int i = 0; i < count; i++) {
            levels[count - 1 - i] = table.level(1 + i * stride);
        }
        return levels;
    }

    private static double[] spaced(TimestepSpacing spacing, int steps, NoiseTable table) {
        if (steps > table.size()) {
            throw new InputException(steps + " steps are asked for, but the model was trained on " + table.size()
                    + " noise levels; use fewer, or another schedule");
        }
        double[] timesteps = spacing.timesteps(steps, table.size(), OFFSET, false, true);
        double[] levels = new double[steps];
        for (int i = 0; i < steps; i++) {
            levels[i] = table.level((int) Math.min(timesteps[i], table.size() - 1));
        }
        return levels;
    }
}
