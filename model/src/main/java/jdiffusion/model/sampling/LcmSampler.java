package jdiffusion.model.sampling;

import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;

/** x' = signal' D + sigma' noise; the last step ends at D. */
record LcmSampler(Solver solver, boolean boundary, Tensor drawn) implements Sampler {
    /** Of the boundary condition, for times of 0 to 999: diffusers' timestep_scaling and sigma_data. */
    private static final double TIME_SCALE = 10;
    private static final double DATA_VARIANCE = 0.25;

    LcmSampler(Solver solver, boolean boundary) {
        this(solver, boundary, solver.allocate());
    }

    @Override
    public void step(Backend backend, int first, int i, Tensor prediction, Tensor latents, NoiseSource noise) {
        double sigma = solver.sigma(i);
        double skip = solver.prediction().skip(sigma);
        double out = solver.prediction().out(sigma);
        if (boundary) {
            double time = solver.sigmas().timestep(i) * TIME_SCALE;
            double keep = DATA_VARIANCE / (time * time + DATA_VARIANCE);
            double weight = time / Math.sqrt(time * time + DATA_VARIANCE);
            skip = weight * skip + keep / Math.sqrt(1 + sigma * sigma);
            out *= weight;
        }
        backend.combine(new float[] {(float) skip, (float) out}, List.of(latents, prediction), latents);
        double next = solver.target(i);
        if (next > 0) {
            Solver.addNoise(backend, solver.prediction().signal(next), next, latents, drawn, noise);
        }
    }
}
