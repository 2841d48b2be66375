package jdiffusion.model.sampling;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * What samplers share: the levels, what the network's output means, and memory.
 *
 * @param shape of the latents
 */
record Solver(Sigmas sigmas, Prediction prediction, Workspace workspace, int[] shape) {
    /** The most noise that still has a finite ratio of signal to noise in a flow; ComfyUI's offset of 1e-4. */
    private static final double MOST_NOISE = 0.9999;

    /** Memory of the latents' shape. */
    Tensor allocate() {
        return workspace.f32(shape);
    }

    /** Memory for so many earlier evaluations, the newest first. */
    History history(int length) {
        List<Tensor> tensors = new ArrayList<>();
        for (int i = 0; i < length; i++) {
            tensors.add(allocate());
        }
        return new History(tensors);
    }

    double sigma(int i) {
        return sigmas.sigma(i);
    }

    double target(int i) {
        return sigmas.target(i);
    }

    /** ln(signal / sigma), finite at pure noise. */
    double lambda(double sigma) {
        return prediction.lambda(bounded(sigma));
    }

    /** A level that has some signal. */
    double bounded(double sigma) {
        return prediction.isFlow() ? Math.min(sigma, MOST_NOISE) : sigma;
    }

    /** The denoised estimate of evaluation i. */
    void denoised(Backend backend, int i, Tensor output, Tensor x, Tensor out) {
        double sigma = sigma(i);
        backend.combine(new float[] {(float) prediction.skip(sigma), (float) prediction.out(sigma)},
                List.of(x, output), out);
    }

    /** (x - D) / sigma of evaluation i. */
    void derivative(Backend backend, int i, Tensor output, Tensor x, Tensor out) {
        double sigma = sigma(i);
        double skip = prediction.skip(sigma);
        float weight = (float) (-prediction.out(sigma) / sigma);
        if (skip == 1) {
            backend.combine(new float[] {weight}, List.of(output), out);
        } else {
            backend.combine(new float[] {(float) ((1 - skip) / sigma), weight}, List.of(x, output), out);
        }
    }

    /** x += dt (x - D) / sigma. */
    void move(Backend backend, int i, float dt, Tensor output, Tensor x) {
        double sigma = sigma(i);
        double skip = prediction.skip(sigma);
        backend.combine(new float[] {(float) (1 + dt * (1 - skip) / sigma),
            (float) (-dt * prediction.out(sigma) / sigma)}, List.of(x, output), x);
    }

    /** Brings latents from the level that the step went to, to the next evaluation's. */
    void rescale(Backend backend, int i, Tensor x) {
        double factor = sigmas.rescale(i);
        if (factor != 1) {
            backend.combine(new float[] {(float) factor}, List.of(x), x);
        }
    }

    /** Adds a draw of noise; it is drawn, and left out, where its factor is 0. */
    static void addNoise(Backend backend, double scale, double factor, Tensor x, Tensor drawn,
                         Sampler.NoiseSource noise) {
        noise.draw(drawn);
        if (factor > 0) {
            backend.combine(new float[] {(float) scale, (float) factor}, List.of(x, drawn), x);
        } else if (scale != 1) {
            backend.combine(new float[] {(float) scale}, List.of(x), x);
        }
    }

    /** Estimates of the latest evaluations. */
    static final class History {
        private final List<Tensor> tensors;

        private History(List<Tensor> tensors) {
            this.tensors = tensors;
        }

        /** Of the evaluation {@code back} before the present one. */
        Tensor get(int back) {
            return tensors.get(back);
        }

        /** Makes place for a new one at 0; the oldest is forgotten. */
        Tensor next() {
            tensors.addFirst(tensors.removeLast());
            return tensors.getFirst();
        }
    }
}
