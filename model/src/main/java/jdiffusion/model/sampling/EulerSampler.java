package jdiffusion.model.sampling;

import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;

/** x += (sigma' - sigma) (x - D) / sigma */
record EulerSampler(Solver solver) implements Sampler {
    @Override
    public void step(Backend backend, int first, int i, Tensor prediction, Tensor latents, NoiseSource noise) {
        float dt = solver.sigmas().target(i) - solver.sigmas().sigma(i);
        solver.move(backend, i, dt, prediction, latents);
        solver.rescale(backend, i, latents);
    }
}
