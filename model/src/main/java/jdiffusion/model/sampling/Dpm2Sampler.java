package jdiffusion.model.sampling;

import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;

/**
 * An even evaluation goes to the middle of the step, the odd one after it does the step again from its start with the
 * middle's derivative; with {@code eta} to a level below, and noise after it.
 */
record Dpm2Sampler(Solver solver, double eta, Tensor start, Tensor slope, Tensor drawn) implements Sampler {
    Dpm2Sampler(Solver solver, double eta) {
        this(solver, eta, solver.allocate(), solver.allocate(), eta > 0 ? solver.allocate() : null);
    }

    /** The middle of ln sigma; 0 where the step ends without noise. */
    static double middle(double sigma, double end) {
        return Math.sqrt(sigma * end);
    }

    @Override
    public void step(Backend backend, int first, int i, Tensor prediction, Tensor latents, NoiseSource noise) {
        Sigmas sigmas = solver.sigmas();
        if (!sigmas.isSecond(i)) {
            backend.combine(new float[] {1}, List.of(latents), start);
            solver.move(backend, i, sigmas.sigma(i + 1) - sigmas.sigma(i), prediction, latents);
            return;
        }
        double sigma = solver.sigma(i - 1);
        AncestralStep step = AncestralStep.of(solver.prediction(), sigma, solver.target(i), eta);
        solver.derivative(backend, i, prediction, latents, slope);
        backend.combine(new float[] {1, (float) (step.down() - sigma)}, List.of(start, slope), latents);
        if (eta > 0) {
            Solver.addNoise(backend, step.scale(), step.up(), latents, drawn, noise);
        }
    }
}
