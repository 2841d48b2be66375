package jdiffusion.model.sampling;

import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;

/**
 * Each evaluation first corrects the step before it, then predicts the next one: UniPC on the denoised estimate, with
 * B(h) = e^-h - 1. Weights of the differences of estimates come from a small linear system.
 */
final class UniPcSampler implements Sampler {
    private final Solver solver;
    private final int order;
    private final boolean lowerFinal;
    private final Solver.History denoised;
    private final Tensor last;
    private int reached;

    UniPcSampler(Solver solver, int order, boolean lowerFinal) {
        this.solver = solver;
        this.order = order;
        this.lowerFinal = lowerFinal;
        this.denoised = solver.history(order + 1);
        this.last = solver.allocate();
    }

    @Override
    public void step(Backend backend, int first, int i, Tensor prediction, Tensor latents, NoiseSource noise) {
        Tensor newest = denoised.next();
        solver.denoised(backend, i, prediction, latents, newest);
        if (i > first) {
            correct(backend, i, latents);
        }
        backend.combine(new float[] {1}, List.of(latents), last);
        int left = solver.sigmas().evaluations() - i;
        reached = Math.min(lowerFinal ? Math.min(order, left) : order, i - first + 1);
        if (solver.target(i) == 0) {
            reached = 1;
        }
        predict(backend, i, latents);
    }

    /** From evaluation i to its target, by the estimates of i and before. */
    private void predict(Backend backend, int i, Tensor latents) {
        Step step = step(i);
        double[] places = places(i, reached - 1, step.h);
        double[] weights = reached <= 2 ? new double[] {0.5} : solve(places, moments(step.h, reached - 1));
        double newest = step.weight;
        double[] others = new double[Math.max(0, reached - 1)];
        for (int k = 0; k < others.length; k++) {
            others[k] = step.weight * weights[k] / places[k];
            newest -= others[k];
        }
        combine(backend, latents, step.keep, 0, newest, others, latents);
    }

    /** The step that led to evaluation i once more, with its own estimate too. */
    private void correct(Backend backend, int i, Tensor latents) {
        Step step = step(i - 1);
        double[] places = new double[reached];
        System.arraycopy(places(i - 1, reached - 1, step.h), 0, places, 0, reached - 1);
        places[reached - 1] = 1;
        double[] weights = reached == 1 ? new double[] {0.5} : solve(places, moments(step.h, reached));
        double own = step.weight * weights[reached - 1];
        double newest = step.weight - own;
        double[] others = new double[reached - 1];
        for (int k = 0; k < others.length; k++) {
            others[k] = step.weight * weights[k] / places[k];
            newest -= others[k];
        }
        backend.combine(new float[] {(float) step.keep, (float) own}, List.of(last, denoised.get(0)), latents);
        combine(backend, latents, 1, 1, newest, others, latents);
    }

    /** out = keep x + newest D[from] + sum of others[k] D[from + 1 + k]; others are two at most. */
    private void combine(Backend backend, Tensor x, double keep, int from, double newest, double[] others, Tensor out) {
        backend.combine(new float[] {(float) keep, (float) newest}, List.of(x, denoised.get(from)), out);
        for (int k = 0; k < others.length; k++) {
            backend.combine(new float[] {1, (float) others[k]}, List.of(out, denoised.get(from + 1 + k)), out);
        }
    }

    /** @param keep weight of x; weight that of D, if D stays; h the length in lambda */
    private record Step(double keep, double weight, double h) {
    }

    private Step step(int i) {
        double sigma = solver.bounded(solver.sigma(i));
        double next = solver.target(i);
        if (next == 0) {
            return new Step(0, 1, Double.POSITIVE_INFINITY);
        }
        double h = solver.lambda(next) - solver.lambda(sigma);
        return new Step(next / sigma, solver.prediction().signal(next) * -Math.expm1(-h), h);
    }

    /** Where the estimates before evaluation i lie, in steps of h: negative numbers. */
    private double[] places(int i, int count, double h) {
        double[] places = new double[count];
        for (int k = 0; k < count; k++) {
            places[k] = (solver.lambda(solver.sigma(i - 1 - k)) - solver.lambda(solver.sigma(i))) / h;
        }
        return places;
    }

    /** The right side of the conditions of order 1 to n. */
    private static double[] moments(double h, int n) {
        double[] moments = new double[n];
        double b = Math.expm1(-h);
        double phi = b / -h - 1;
        double factorial = 1;
        for (int k = 0; k < n; k++) {
            moments[k] = phi * factorial / b;
            factorial *= k + 2;
            phi = phi / -h - 1 / factorial;
        }
        return moments;
    }

    /** Solves sum over j of places[j]^k w[j] = moments[k], by elimination; n is 3 at most and places differ. */
    private static double[] solve(double[] places, double[] moments) {
        int n = moments.length;
        double[][] rows = new double[n][n + 1];
        for (int k = 0; k < n; k++) {
            for (int j = 0; j < n; j++) {
                rows[k][j] = Math.pow(places[j], k);
            }
            rows[k][n] = moments[k];
        }
        for (int k = 0; k < n; k++) {
            for (int below = k + 1; below < n; below++) {
                double factor = rows[below][k] / rows[k][k];
                for (int j = k; j <= n; j++) {
                    rows[below][j] -= factor * rows[k][j];
                }
            }
        }
        double[] solution = new double[n];
        for (int k = n - 1; k >= 0; k--) {
            double sum = rows[k][n];
            for (int j = k + 1; j < n; j++) {
                sum -= rows[k][j] * solution[j];
            }
            solution[k] = sum / rows[k][k];
        }
        return solution;
    }
}
