package jdiffusion.model.sampling;

import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;

/**
 * DPM-Solver++ (Lu et al., 2022) of up to third order, as an ordinary or, with eta, a stochastic differential equation.
 * With h the step in lambda and g = h (1 + eta): x' = (sigma'/sigma) e^(-eta h) x + signal' (1 - e^-g) D* +
 * sigma' sqrt(1 - e^(-2 eta h)) noise, where D* extrapolates the estimates.
 *
 * @param heun       whether the second order takes the integral of D's slope
 * @param lowerFinal whether the last steps of fewer than 15 go down in order
 */
record DpmMultistepSampler(Solver solver, double eta, int order, boolean heun, boolean lowerFinal,
                           Solver.History denoised, Tensor drawn) implements Sampler {
    private static final int FEW_STEPS = 15;

    DpmMultistepSampler(Solver solver, double eta, int order, boolean heun, boolean lowerFinal) {
        this(solver, eta, order, heun, lowerFinal, solver.history(order), eta > 0 ? solver.allocate() : null);
    }

    @Override
    public void step(Backend backend, int first, int i, Tensor prediction, Tensor latents, NoiseSource noise) {
        double sigma = solver.bounded(solver.sigma(i));
        double next = solver.target(i);
        double signal = solver.prediction().signal(next);
        double h = next == 0 ? Double.POSITIVE_INFINITY : solver.lambda(next) - solver.lambda(sigma);
        double g = h * (1 + eta);
        Tensor newest = denoised.next();
        solver.denoised(backend, i, prediction, latents, newest);
        double keep = next == 0 ? 0 : next / sigma * Math.exp(-eta * h);
        double weight = signal * -Math.expm1(-g);
        int reached = next == 0 ? 1 : Math.min(order, i - first + 1);
        if (lowerFinal && solver.sigmas().evaluations() < FEW_STEPS) {
            reached = Math.min(reached, solver.sigmas().evaluations() - i);
        }
        switch (reached) {
            case 1 -> backend.combine(new float[] {(float) keep, (float) weight}, List.of(latents, newest), latents);
            case 2 -> {
                double slope = (heun ? signal * slope(g) : weight / 2) / ratio(i, 0, h);
                backend.combine(new float[] {(float) keep, (float) (weight + slope), (float) -slope},
                        List.of(latents, newest, denoised.get(1)), latents);
            }
            default -> {
                double r0 = ratio(i, 0, h);
                double r1 = ratio(i, 1, h);
                double slope = signal * slope(g);
                double bend = signal * (0.5 - slope(g) / g);
                double near = slope * (1 + r0 / (r0 + r1)) + bend / (r0 + r1);
                double far = -(slope * r0 + bend) / (r0 + r1);
                backend.combine(new float[] {(float) keep, (float) (weight + near / r0), (float) (far / r1 - near / r0),
                    (float) (-far / r1)}, List.of(latents, newest, denoised.get(1), denoised.get(2)), latents);
            }
        }
        if (eta > 0) {
            Solver.addNoise(backend, 1, next == 0 ? 0 : next * Math.sqrt(-Math.expm1(-2 * eta * h)), latents, drawn,
                    noise);
        }
    }

    /** The length of the step {@code back} before the last one, in lambda, over that of the present step. */
    private double ratio(int i, int back, double h) {
        return (solver.lambda(solver.sigma(i - back)) - solver.lambda(solver.sigma(i - back - 1))) / h;
    }

    /** The weight of a slope over a step of g: (e^-g - 1) / g + 1. */
    private static double slope(double g) {
        return Math.expm1(-g) / g + 1;
    }
}
