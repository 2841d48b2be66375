package jdiffusion.model.sampling;

/**
 * Which timesteps of training a diffusion model is asked at (Lin et al., "Common Diffusion Noise Schedules and Sample
 * Steps are Flawed", 2024, table 2), as diffusers rounds them.
 */
public enum TimestepSpacing {
    /** From the last to the first in equal steps. */
    LINSPACE,
    /** Multiples of a whole step from 0 on, plus an offset: the last timesteps are left out. */
    LEADING,
    /** From the last down in equal steps: the first timesteps are left out. */
    TRAILING;

    /**
     * The timesteps in falling order.
     *
     * @param train   timesteps of training
     * @param offset  added by {@link #LEADING}
     * @param oneMore whether the solver counts one step more and drops the last, as diffusers' DPM-Solver, UniPC and
     *                DEIS do with {@link #LEADING} and {@link #LINSPACE}
     * @param whole   whether {@link #LINSPACE} is rounded to whole timesteps
     */
    double[] timesteps(int steps, int train, int offset, boolean oneMore, boolean whole) {
        double[] timesteps = new double[steps];
        for (int i = 0; i < steps; i++) {
            timesteps[i] = switch (this) {
                case LINSPACE -> linspace(steps, train, i, oneMore, whole);
                case LEADING -> (double) (oneMore ? steps - i : steps - 1 - i)
                        * (train / (oneMore ? steps + 1 : steps)) + offset;
                case TRAILING -> Math.rint(train - i * ((double) train / steps)) - 1;
            };
        }
        return timesteps;
    }

    private static double linspace(int steps, int train, int i, boolean oneMore, boolean whole) {
        int parts = oneMore ? steps : steps - 1;
        int place = oneMore ? steps - i : steps - 1 - i;
        double value = parts == 0 ? 0 : place == parts ? train - 1 : place * ((train - 1.0) / parts);
        return whole ? Math.rint(value) : (float) value;
    }
}
