package jdiffusion.model.sampling;

import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;

/** The derivatives of up to four evaluations, as a polynomial in sigma, integrated over the step (Adams-Bashforth). */
record LmsSampler(Solver solver, Solver.History derivatives) implements Sampler {
    private static final int ORDER = 4;
    /** Gauss-Legendre nodes and weights on -1 to 1 that are exact for a polynomial of degree 3. */
    private static final double NODE = 1 / Math.sqrt(3);

    LmsSampler(Solver solver) {
        this(solver, solver.history(ORDER));
    }

    @Override
    public void step(Backend backend, int first, int i, Tensor prediction, Tensor latents, NoiseSource noise) {
        solver.derivative(backend, i, prediction, latents, derivatives.next());
        int order = Math.min(i - first + 1, ORDER);
        for (int k = 0; k < order; k++) {
            backend.combine(new float[] {1, (float) weight(i, k, order)}, List.of(latents, derivatives.get(k)),
                    latents);
        }
    }

    /** The integral of the Lagrange polynomial of evaluation i - k. */
    private double weight(int i, int k, int order) {
        double from = solver.sigma(i);
        double half = (solver.target(i) - from) / 2;
        return half * (lagrange(i, k, order, from + half * (1 - NODE)) + lagrange(i, k, order,
                from + half * (1 + NODE)));
    }

    private double lagrange(int i, int k, int order, double sigma) {
        double product = 1;
        for (int j = 0; j < order; j++) {
            if (j != k) {
                product *= (sigma - solver.sigma(i - j)) / (solver.sigma(i - k) - solver.sigma(i - j));
            }
        }
        return product;
    }
}
