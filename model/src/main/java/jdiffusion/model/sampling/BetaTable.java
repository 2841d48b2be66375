package jdiffusion.model.sampling;

import jdiffusion.tensor.InputException;

/**
 * The noise levels that a diffusion model was trained on (Ho et al., 2020): one for each whole timestep, made from
 * betas as diffusers and the published training code make them, to the bit.
 */
public final class BetaTable implements NoiseTable {
    /** How betas go from the first to the last. */
    public enum Kind {
        /** In equal steps. */
        LINEAR,
        /** Their roots in equal steps: Stable Diffusion's. */
        SCALED_LINEAR,
        /** Nichol and Dhariwal, "Improved Denoising Diffusion Probabilistic Models", 2021. */
        SQUAREDCOS_CAP_V2
    }

    /** Stands for the last product of a schedule that ends in pure noise, so that sigma is finite; as in diffusers. */
    private static final float ALMOST_ZERO = 0x1p-24f;
    private static final int MOST_STEPS = 1_000_000;
    private static final double COSINE_OFFSET = 0.008;
    private static final double LARGEST_COSINE_BETA = 0.999;

    /**
     * What a table is made of; see {@link BetaTable#of}.
     *
     * @param start the first beta
     * @param end   the last beta
     */
    public record Betas(Kind kind, double start, double end, int count, boolean zeroTerminalSnr) {
        public Betas {
            if (count < 2 || count > MOST_STEPS) {
                throw new InputException("num_train_timesteps is " + count + "; it must be 2 to " + MOST_STEPS);
            }
            if (!(start > 0 && start < 1 && end > 0 && end < 1)) {
                throw new InputException("beta_start and beta_end are " + start + " and " + end
                        + "; they must be above 0 and below 1");
            }
        }
    }

    private final Betas betas;
    private final float[] products;
    private final float[] sigmas;
    private final double[] logs;

    private BetaTable(Betas betas, float[] products) {
        this.betas = betas;
        this.products = products;
        sigmas = new float[products.length];
        logs = new double[products.length];
        for (int i = 0; i < products.length; i++) {
            sigmas[i] = (float) Math.sqrt((1 - products[i]) / products[i]);
            logs[i] = (float) Math.log(sigmas[i]);
        }
    }

    /**
     * @param count           timesteps of training
     * @param zeroTerminalSnr whether the table is stretched to end in pure noise (Lin et al., "Common Diffusion Noise
     *                        Schedules and Sample Steps are Flawed", 2024)
     */
    public static BetaTable of(Kind kind, double start, double end, int count, boolean zeroTerminalSnr) {
        Betas all = new Betas(kind, start, end, count, zeroTerminalSnr);
        float[] betas = betas(kind, start, end, count);
        float[] products = products(zeroTerminalSnr ? rescaled(betas) : betas);
        if (zeroTerminalSnr) {
            products[count - 1] = ALMOST_ZERO;
        }
        return new BetaTable(all, products);
    }

    /** The table of Stable Diffusion 1 to XL. */
    public static BetaTable stableDiffusion() {
        return of(Kind.SCALED_LINEAR, 0.00085, 0.012, 1000, false);
    }

    private static float[] betas(Kind kind, double start, double end, int count) {
        float[] betas = new float[count];
        switch (kind) {
            case LINEAR -> betas = linspace((float) start, (float) end, count);
            case SCALED_LINEAR -> {
                betas = linspace((float) Math.sqrt(start), (float) Math.sqrt(end), count);
                for (int i = 0; i < count; i++) {
                    betas[i] *= betas[i];
                }
            }
            case SQUAREDCOS_CAP_V2 -> {
                for (int i = 0; i < count; i++) {
                    betas[i] = (float) Math.min(1 - cosine((i + 1.0) / count) / cosine((double) i / count),
                            LARGEST_COSINE_BETA);
                }
            }
        }
        return betas;
    }

    private static double cosine(double t) {
        double c = StrictMath.cos((t + COSINE_OFFSET) / (1 + COSINE_OFFSET) * Math.PI / 2);
        return c * c;
    }

    /** {@code torch.linspace} in float32: from the nearer end, with fused operations. */
    static float[] linspace(float first, float last, int count) {
        float[] values = new float[count];
        float step = (last - first) / (count - 1);
        for (int i = 0; i < count; i++) {
            values[i] = i < count / 2 ? Math.fma(step, i, first) : Math.fma(-step, count - 1 - i, last);
        }
        return values;
    }

    /** {@code torch.cumprod}: carried in double, stored as float. */
    private static float[] products(float[] betas) {
        float[] products = new float[betas.length];
        double product = 1;
        for (int i = 0; i < betas.length; i++) {
            product *= 1 - betas[i];
            products[i] = (float) product;
        }
        return products;
    }

    /** Algorithm 1 of Lin et al., in float32 as diffusers computes it. */
    private static float[] rescaled(float[] betas) {
        float[] roots = products(betas);
        for (int i = 0; i < roots.length; i++) {
            roots[i] = (float) Math.sqrt(roots[i]);
        }
        float first = roots[0];
        float last = roots[roots.length - 1];
        float[] rescaled = new float[roots.length];
        float before = 1;
        for (int i = 0; i < roots.length; i++) {
            float root = (roots[i] - last) * (first / (first - last));
            float product = root * root;
            rescaled[i] = 1 - (i == 0 ? product : product / before);
            before = product;
        }
        return rescaled;
    }

    /** What it is made of. */
    public Betas betas() {
        return betas;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof BetaTable table && table.betas.equals(betas);
    }

    @Override
    public int hashCode() {
        return betas.hashCode();
    }

    /** Timesteps of training. */
    @Override
    public int size() {
        return sigmas.length;
    }

    /** The share of the signal's power at a whole timestep: the product of all (1 - beta) up to it. */
    public float product(int timestep) {
        return products[timestep];
    }

    /** The noise level sqrt((1 - product) / product) of a whole timestep. */
    public float sigma(int timestep) {
        return sigmas[timestep];
    }

    /** The noise level at a broken timestep, linear in the timestep ({@code numpy.interp}). */
    double sigmaAt(double timestep) {
        if (timestep <= 0) {
            return sigmas[0];
        }
        int low = (int) timestep;
        if (low >= sigmas.length - 1) {
            return sigmas[sigmas.length - 1];
        }
        double slope = (double) sigmas[low + 1] - sigmas[low];
        return slope * (timestep - low) + sigmas[low];
    }

    /** The noise level at a broken timestep, linear in its logarithm, as k-diffusion has it. */
    @Override
    public double levelAt(double timestep) {
        double bounded = Math.clamp(timestep, 0, sigmas.length - 1);
        int low = Math.min((int) bounded, sigmas.length - 2);
        double share = bounded - low;
        return Math.exp((1 - share) * logs[low] + share * logs[low + 1]);
    }

    /** The broken timestep of a noise level, linear in its logarithm; within the table. */
    public double timestep(double sigma) {
        double log = Math.log(Math.max(sigma, 1e-10));
        int low = 0;
        int high = logs.length - 1;
        while (high - low > 1) {
            int middle = (low + high) >>> 1;
            if (log >= logs[middle]) {
                low = middle;
            } else {
                high = middle;
            }
        }
        double share = Math.clamp((logs[low] - log) / (logs[low] - logs[low + 1]), 0.0, 1.0);
        return (1 - share) * low + share * (low + 1);
    }

    @Override
    public double level(int timestep) {
        return sigmas[timestep];
    }
}
