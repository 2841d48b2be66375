package jdiffusion.model.sampling;

import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;

/** Euler's step to the level below, then noise; with DDIM's levels it is DDIM with an eta. */
record EulerAncestralSampler(Solver solver, double eta, Tensor drawn) implements Sampler {
    EulerAncestralSampler(Solver solver, double eta) {
        this(solver, eta, solver.allocate());
    }

    @Override
    public void step(Backend backend, int first, int i, Tensor prediction, Tensor latents, NoiseSource noise) {
        double sigma = solver.sigma(i);
        AncestralStep step = AncestralStep.of(solver.prediction(), sigma, solver.target(i), eta);
        solver.move(backend, i, (float) (step.down() - sigma), prediction, latents);
        Solver.addNoise(backend, step.scale(), step.up(), latents, drawn, noise);
        solver.rescale(backend, i, latents);
    }
}
