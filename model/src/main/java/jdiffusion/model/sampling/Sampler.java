package jdiffusion.model.sampling;

import java.util.List;
import java.util.Locale;
import jdiffusion.kernels.Backend;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * Integrates the rectified flow dx/dsigma = v(x, sigma) from noise to image. It knows no model: after each
 * evaluation of the velocity at {@code sigmas.timestep(i)} it moves the latents to where the next one is due.
 */
public sealed interface Sampler {
    /** The samplers by name. */
    enum Kind {
        /** One evaluation a step; diffusers' FlowMatchEulerDiscreteScheduler. */
        EULER,
        /** The trapezoidal rule, two evaluations a step; diffusers' FlowMatchHeunDiscreteScheduler. */
        HEUN,
        /** DPM-Solver++(2M), Lu et al. (2022), in the form of k-diffusion that Stability's SD3.5 code uses. */
        DPMPP_2M;

        /** The name on the command line: lower case. */
        public String label() {
            return name().toLowerCase(Locale.ROOT);
        }

        /** The sampler of that label, or of a name that other tools use for it. */
        public static Kind of(String label) {
            return switch (label.toLowerCase(Locale.ROOT)) {
                case "euler" -> EULER;
                case "heun" -> HEUN;
                case "dpmpp_2m", "dpm++2m", "dpm++ 2m" -> DPMPP_2M;
                default -> throw new InputException("sampler '" + label + "' is unknown; use euler, heun or dpmpp_2m");
            };
        }

        /** The evaluations that this sampler makes of a schedule's steps. */
        public Sigmas evaluations(Sigmas steps) {
            return this == HEUN ? steps.heun() : steps;
        }

        /** @param like a tensor of the latents' shape, for the sampler's own memory */
        public Sampler create(Sigmas sigmas, Workspace workspace, Tensor like) {
            return switch (this) {
                case EULER -> new Euler(sigmas);
                case HEUN -> new Heun(sigmas, workspace.f32(like.shape().dims()), workspace.f32(like.shape().dims()));
                case DPMPP_2M -> new DpmPlusPlus2M(sigmas, workspace.f32(like.shape().dims()),
                        workspace.f32(like.shape().dims()));
            };
        }
    }

    /**
     * @param first    the evaluation that this run started with (not 0 when it starts from an image)
     * @param i        the evaluation that gave {@code velocity}
     * @param velocity [batch, c, h, w]; may be overwritten
     * @param latents  [batch, c, h, w], from the place of evaluation i to that of i + 1
     */
    void step(Backend backend, int first, int i, Tensor velocity, Tensor latents);

    /** x += (sigma' - sigma) v */
    record Euler(Sigmas sigmas) implements Sampler {
        @Override
        public void step(Backend backend, int first, int i, Tensor velocity, Tensor latents) {
            float dt = sigmas.sigma(i + 1) - sigmas.sigma(i);
            backend.combine(new float[] {1, dt}, List.of(latents, velocity), latents);
        }
    }

    /**
     * An even evaluation predicts with Euler's step, the odd one after it does the step again from its start with
     * the mean of both velocities.
     */
    record Heun(Sigmas sigmas, Tensor start, Tensor slope) implements Sampler {
        @Override
        public void step(Backend backend, int first, int i, Tensor velocity, Tensor latents) {
            if (i % 2 == 0) {
                backend.combine(new float[] {1}, List.of(latents), start);
                backend.combine(new float[] {1}, List.of(velocity), slope);
                float dt = sigmas.sigma(i + 1) - sigmas.sigma(i);
                backend.combine(new float[] {1, dt}, List.of(start, slope), latents);
            } else {
                float half = (sigmas.sigma(i) - sigmas.sigma(i - 1)) / 2;
                backend.combine(new float[] {1, half, half}, List.of(start, slope, velocity), latents);
            }
        }
    }

    /**
     * With r = sigma'/sigma, h = -ln r and D = x - sigma v: x' = r x + (1 - r) D*, where D* extrapolates D linearly
     * in log sigma from the step before; the first and the last step take D itself.
     */
    record DpmPlusPlus2M(Sigmas sigmas, Tensor denoised, Tensor previous) implements Sampler {
        @Override
        public void step(Backend backend, int first, int i, Tensor velocity, Tensor latents) {
            double sigma = sigmas.sigma(i);
            double next = sigmas.sigma(i + 1);
            double ratio = next / sigma;
            backend.combine(new float[] {1, (float) -sigma}, List.of(latents, velocity), denoised);
            if (i == first || next == 0) {
                backend.combine(new float[] {(float) ratio, (float) (1 - ratio)}, List.of(latents, denoised), latents);
            } else {
                double h = Math.log(sigma / next);
                double before = Math.log(sigmas.sigma(i - 1) / sigma);
                double half = h / (2 * before);
                backend.combine(new float[] {(float) ratio, (float) ((1 - ratio) * (1 + half)),
                    (float) (-(1 - ratio) * half)}, List.of(latents, denoised, previous), latents);
            }
            backend.combine(new float[] {1}, List.of(denoised), previous);
        }
    }
}
