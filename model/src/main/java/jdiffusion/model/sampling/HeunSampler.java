package jdiffusion.model.sampling;

import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;

/**
 * An even evaluation predicts with Euler's step, the odd one after it does the step again from its start with the mean
 * of both derivatives.
 */
record HeunSampler(Solver solver, Tensor start, Tensor slope, Tensor end) implements Sampler {
    HeunSampler(Solver solver) {
        this(solver, solver.allocate(), solver.allocate(), solver.allocate());
    }

    @Override
    public void step(Backend backend, int first, int i, Tensor prediction, Tensor latents, NoiseSource noise) {
        Sigmas sigmas = solver.sigmas();
        if (!sigmas.isSecond(i)) {
            backend.combine(new float[] {1}, List.of(latents), start);
            solver.derivative(backend, i, prediction, latents, slope);
            float dt = sigmas.sigma(i + 1) - sigmas.sigma(i);
            backend.combine(new float[] {1, dt}, List.of(start, slope), latents);
        } else {
            float half = (sigmas.sigma(i) - sigmas.sigma(i - 1)) / 2;
            solver.derivative(backend, i, prediction, latents, end);
            backend.combine(new float[] {1, half, half}, List.of(start, slope, end), latents);
        }
    }
}
