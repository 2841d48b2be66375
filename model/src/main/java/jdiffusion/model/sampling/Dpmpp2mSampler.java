package jdiffusion.model.sampling;

import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;

/**
 * With r = sigma'/sigma and h = -ln r: x' = r x + (1 - r) D*, where D* extrapolates D linearly in log sigma from the
 * step before; the first and the last step take D itself.
 */
record Dpmpp2mSampler(Solver solver, Tensor denoised, Tensor previous) implements Sampler {
    Dpmpp2mSampler(Solver solver) {
        this(solver, solver.allocate(), solver.allocate());
    }

    @Override
    public void step(Backend backend, int first, int i, Tensor prediction, Tensor latents, NoiseSource noise) {
        double sigma = solver.sigma(i);
        double next = solver.target(i);
        double ratio = next / sigma;
        solver.denoised(backend, i, prediction, latents, denoised);
        if (i == first || next == 0) {
            backend.combine(new float[] {(float) ratio, (float) (1 - ratio)}, List.of(latents, denoised), latents);
        } else {
            double h = Math.log(sigma / next);
            double before = Math.log(solver.sigma(i - 1) / sigma);
            double half = h / (2 * before);
            backend.combine(new float[] {(float) ratio, (float) ((1 - ratio) * (1 + half)),
                (float) (-(1 - ratio) * half)}, List.of(latents, denoised, previous), latents);
        }
        backend.combine(new float[] {1}, List.of(denoised), previous);
    }
}
