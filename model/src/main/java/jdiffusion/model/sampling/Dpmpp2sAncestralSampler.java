package jdiffusion.model.sampling;

import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;

/**
 * An even evaluation goes to the middle of the step in lambda, the odd one after it does the step again from its start
 * with the middle's denoised estimate, to a level below, and noise is added.
 */
record Dpmpp2sAncestralSampler(Solver solver, double eta, Tensor start, Tensor denoised, Tensor drawn)
        implements Sampler {
    /** A first level of pure noise has no lambda; ComfyUI goes here. */
    private static final double AFTER_PURE_NOISE = 0.9999;

    Dpmpp2sAncestralSampler(Solver solver, double eta) {
        this(solver, eta, solver.allocate(), solver.allocate(), solver.allocate());
    }

    /** The middle of lambda. */
    static double middle(Prediction prediction, double sigma, double end) {
        if (!prediction.isFlow()) {
            return Math.sqrt(sigma * end);
        }
        if (sigma >= 1) {
            return AFTER_PURE_NOISE;
        }
        return 1 / (1 + Math.exp((prediction.lambda(sigma) + prediction.lambda(end)) / 2));
    }

    @Override
    public void step(Backend backend, int first, int i, Tensor prediction, Tensor latents, NoiseSource noise) {
        solver.denoised(backend, i, prediction, latents, denoised);
        if (!solver.sigmas().isSecond(i)) {
            backend.combine(new float[] {1}, List.of(latents), start);
            exponential(backend, solver.sigma(i + 1) / solver.sigma(i), latents);
            return;
        }
        double sigma = solver.sigma(i - 1);
        AncestralStep step = AncestralStep.of(solver.prediction(), sigma, solver.target(i), eta);
        exponential(backend, step.down() / sigma, latents);
        if (eta > 0) {
            Solver.addNoise(backend, step.scale(), step.up(), latents, drawn, noise);
        }
    }

    /** From the start to the level of that share of the noise, D held fast. */
    private void exponential(Backend backend, double ratio, Tensor latents) {
        backend.combine(new float[] {(float) ratio, (float) (1 - ratio)}, List.of(start, denoised), latents);
    }
}
