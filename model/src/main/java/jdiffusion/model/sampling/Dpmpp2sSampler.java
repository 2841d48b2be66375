package jdiffusion.model.sampling;

import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;

/**
 * Steps in pairs: the first is of first order, the second goes from the start of the first with the slope of D between
 * them, the midpoint form of DPM-Solver++(2S). The last step is of first order.
 */
record Dpmpp2sSampler(Solver solver, Tensor start, Solver.History denoised) implements Sampler {
    Dpmpp2sSampler(Solver solver) {
        this(solver, solver.allocate(), solver.history(2));
    }

    @Override
    public void step(Backend backend, int first, int i, Tensor prediction, Tensor latents, NoiseSource noise) {
        double next = solver.target(i);
        double signal = solver.prediction().signal(next);
        Tensor newest = denoised.next();
        solver.denoised(backend, i, prediction, latents, newest);
        boolean pair = i % 2 == 1 && i > first && next != 0;
        if (!pair) {
            backend.combine(new float[] {1}, List.of(latents), start);
            double h = next == 0 ? Double.POSITIVE_INFINITY : solver.lambda(next) - solver.lambda(solver.sigma(i));
            backend.combine(new float[] {(float) (next / solver.bounded(solver.sigma(i))),
                (float) (signal * -Math.expm1(-h))}, List.of(start, newest), latents);
            return;
        }
        double before = solver.bounded(solver.sigma(i - 1));
        double h = solver.lambda(next) - solver.lambda(before);
        double share = (solver.lambda(solver.sigma(i)) - solver.lambda(before)) / h;
        double weight = signal * -Math.expm1(-h);
        double slope = weight / 2 / share;
        backend.combine(new float[] {(float) (next / before), (float) slope, (float) (weight - slope)},
                List.of(start, newest, denoised.get(1)), latents);
    }
}
