package jdiffusion.model.sampling;

import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;

/**
 * The derivatives of up to three evaluations, as a polynomial in ln sigma, integrated over the step: DEIS in log-rho
 * form.
 */
record DeisSampler(Solver solver, int order, boolean lowerFinal, Solver.History derivatives) implements Sampler {
    private static final int FEW_STEPS = 15;

    DeisSampler(Solver solver, int order, boolean lowerFinal) {
        this(solver, order, lowerFinal, solver.history(order));
    }

    @Override
    public void step(Backend backend, int first, int i, Tensor prediction, Tensor latents, NoiseSource noise) {
        solver.derivative(backend, i, prediction, latents, derivatives.next());
        int left = solver.sigmas().evaluations() - i;
        int reached = Math.min(order, i - first + 1);
        if (lowerFinal && solver.sigmas().evaluations() < FEW_STEPS) {
            reached = Math.min(reached, left);
        }
        double from = solver.sigma(i);
        double to = solver.target(i);
        switch (to == 0 ? 1 : reached) {
            case 1 -> backend.combine(new float[] {1, (float) (to - from)}, List.of(latents, derivatives.get(0)),
                    latents);
            case 2 -> {
                double before = solver.sigma(i - 1);
                backend.combine(new float[] {1, (float) linear(from, to, from, before),
                    (float) linear(from, to, before, from)},
                        List.of(latents, derivatives.get(0), derivatives.get(1)), latents);
            }
            default -> {
                double one = solver.sigma(i - 1);
                double two = solver.sigma(i - 2);
                backend.combine(new float[] {1, (float) square(from, to, from, one, two),
                    (float) square(from, to, one, two, from), (float) square(from, to, two, from, one)},
                        List.of(latents, derivatives.get(0), derivatives.get(1), derivatives.get(2)), latents);
            }
        }
        solver.rescale(backend, i, latents);
    }

    /** The integral of (ln s - ln c) / (ln b - ln c). */
    private static double linear(double from, double to, double b, double c) {
        double upper = to * (Math.log(to / c) - 1);
        double lower = from * (Math.log(from / c) - 1);
        return (upper - lower) / Math.log(b / c);
    }

    /** The integral of (ln s - ln c) (ln s - ln d) / ((ln b - ln c) (ln b - ln d)). */
    private static double square(double from, double to, double b, double c, double d) {
        return (product(to, c, d) - product(from, c, d)) / (Math.log(b / c) * Math.log(b / d));
    }

    private static double product(double s, double c, double d) {
        double u = Math.log(s / c);
        double v = Math.log(s / d);
        return s * (u * v - u - v + 2);
    }
}
