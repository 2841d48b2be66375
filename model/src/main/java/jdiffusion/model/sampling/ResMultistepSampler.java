package jdiffusion.model.sampling;

import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;

/**
 * An exponential integrator of second order on the estimates of two steps: with h = ln(sigma / sigma') and
 * c = -ln(sigma_before / sigma) / h, x' = e^-h x + h ((phi1 - phi2 / c) D + (phi2 / c) D_before).
 */
record ResMultistepSampler(Solver solver, Solver.History denoised) implements Sampler {
    ResMultistepSampler(Solver solver) {
        this(solver, solver.history(2));
    }

    @Override
    public void step(Backend backend, int first, int i, Tensor prediction, Tensor latents, NoiseSource noise) {
        double sigma = solver.sigma(i);
        double next = solver.target(i);
        double ratio = next / sigma;
        Tensor newest = denoised.next();
        solver.denoised(backend, i, prediction, latents, newest);
        if (i == first || next == 0) {
            backend.combine(new float[] {(float) ratio, (float) (1 - ratio)}, List.of(latents, newest), latents);
            return;
        }
        double h = Math.log(sigma / next);
        double place = -Math.log(solver.sigma(i - 1) / sigma) / h;
        double phi1 = -Math.expm1(-h) / h;
        double phi2 = (1 - phi1) / h;
        backend.combine(new float[] {(float) ratio, (float) (h * (phi1 - phi2 / place)), (float) (h * phi2 / place)},
                List.of(latents, newest, denoised.get(1)), latents);
    }
}
