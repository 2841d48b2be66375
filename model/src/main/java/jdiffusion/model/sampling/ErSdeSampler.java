package jdiffusion.model.sampling;

import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;

/**
 * ER-SDE-Solver-3. With rho = sigma / signal and the noise's shape f(rho) = rho (e^(rho^0.3) + 10)^eta: the paper's
 * with eta = 1, the ordinary differential equation with eta = 0. Integrals of 1 / f are sums of 200 points, as in
 * ComfyUI.
 */
record ErSdeSampler(Solver solver, double eta, Solver.History denoised, Tensor drawn) implements Sampler {
    private static final int POINTS = 200;
    private static final double POWER = 0.3;
    private static final double OFFSET = 10;
    private static final int ORDER = 3;

    ErSdeSampler(Solver solver, double eta) {
        this(solver, eta, solver.history(ORDER), eta > 0 ? solver.allocate() : null);
    }

    @Override
    public void step(Backend backend, int first, int i, Tensor prediction, Tensor latents, NoiseSource noise) {
        double next = solver.target(i);
        Tensor newest = denoised.next();
        solver.denoised(backend, i, prediction, latents, newest);
        if (next == 0) {
            backend.combine(new float[] {1}, List.of(newest), latents);
        } else {
            deterministic(backend, i, i - first + 1, latents);
        }
        if (eta > 0) {
            double rho = rho(next);
            double kept = next == 0 ? 0 : rho(solver.sigma(i)) * shape(rho) / shape(rho(solver.sigma(i)));
            double up = next == 0 ? 0
                    : solver.prediction().signal(next) * Math.sqrt(Math.max(0, rho * rho - kept * kept));
            Solver.addNoise(backend, 1, up, latents, drawn, noise);
        }
    }

    private void deterministic(Backend backend, int i, int evaluations, Tensor latents) {
        double sigma = solver.bounded(solver.sigma(i));
        double from = rho(sigma);
        double to = rho(solver.target(i));
        double signal = solver.prediction().signal(solver.target(i));
        double ratio = shape(to) / shape(from);
        double keep = signal / solver.prediction().signal(sigma) * ratio;
        double weight = signal * (1 - ratio);
        double dt = to - from;
        if (evaluations == 1) {
            backend.combine(new float[] {(float) keep, (float) weight}, List.of(latents, denoised.get(0)), latents);
            return;
        }
        double sum = 0;
        double moment = 0;
        double width = -dt / POINTS;
        for (int point = 0; point < POINTS; point++) {
            double place = to + point * width;
            sum += width / shape(place);
            moment += width * (place - from) / shape(place);
        }
        double before = from - rho(solver.sigma(i - 1));
        double slope = signal * (dt + sum * shape(to));
        if (evaluations == 2) {
            backend.combine(new float[] {(float) keep, (float) (weight + slope / before), (float) (-slope / before)},
                    List.of(latents, denoised.get(0), denoised.get(1)), latents);
            return;
        }
        double earlier = rho(solver.sigma(i - 1)) - rho(solver.sigma(i - 2));
        double bend = signal * (dt * dt / 2 + moment * shape(to)) / ((from - rho(solver.sigma(i - 2))) / 2);
        double near = (slope + bend) / before;
        double far = -bend / earlier;
        backend.combine(new float[] {(float) keep, (float) (weight + near), (float) (far - near), (float) -far},
                List.of(latents, denoised.get(0), denoised.get(1), denoised.get(2)), latents);
    }

    private double rho(double sigma) {
        double bounded = solver.bounded(sigma);
        return bounded / solver.prediction().signal(bounded);
    }

    private double shape(double rho) {
        return rho * Math.pow(Math.exp(Math.pow(rho, POWER)) + OFFSET, eta);
    }
}
