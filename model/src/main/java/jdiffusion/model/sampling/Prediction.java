package jdiffusion.model.sampling;

/**
 * What a denoiser's output means, and how latents are made from a clean image and noise: x = signal image + sigma
 * noise. All of them give the denoised estimate as a sum, D = skip x + out F, with numbers that depend on sigma alone;
 * that is all that a sampler needs to know of a network. Between steps, x is never scaled: networks that want
 * variance-preserving or preconditioned inputs get {@code input x}.
 */
public sealed interface Prediction {
    /** Rectified flow (Liu et al., 2022): x = (1 - sigma) image + sigma noise, and F = noise - image. */
    Prediction VELOCITY = new Velocity();
    /** Ho et al., "Denoising Diffusion Probabilistic Models", 2020: F is the noise. */
    Prediction EPSILON = new Epsilon();
    /** Salimans and Ho, "Progressive Distillation", 2022: F = alpha noise - sqrt(1 - alpha^2) image. */
    Prediction V = new VPrediction();

    /** Factor of the network's input. */
    double input(double sigma);

    /** Weight of x in the denoised estimate. */
    double skip(double sigma);

    /** Weight of the network's output in the denoised estimate. */
    double out(double sigma);

    /** Weight of the clean image in x. */
    default double signal(double sigma) {
        return 1;
    }

    /** Half the logarithm of the ratio of signal to noise, ln(signal / sigma); infinite for sigma = 0. */
    default double lambda(double sigma) {
        return Math.log(signal(sigma) / sigma);
    }

    /** Whether x mixes image and noise instead of adding the noise. */
    default boolean isFlow() {
        return false;
    }

    /** See {@link #VELOCITY}. */
    record Velocity() implements Prediction {
        @Override
        public double input(double sigma) {
            return 1;
        }

        @Override
        public double skip(double sigma) {
            return 1;
        }

        @Override
        public double out(double sigma) {
            return -sigma;
        }

        @Override
        public double signal(double sigma) {
            return 1 - sigma;
        }

        @Override
        public boolean isFlow() {
            return true;
        }
    }

    /** See {@link #EPSILON}. */
    record Epsilon() implements Prediction {
        @Override
        public double input(double sigma) {
            return 1 / Math.sqrt(sigma * sigma + 1);
        }

        @Override
        public double skip(double sigma) {
            return 1;
        }

        @Override
        public double out(double sigma) {
            return -sigma;
        }
    }

    /** See {@link #V}. */
    record VPrediction() implements Prediction {
        @Override
        public double input(double sigma) {
            return 1 / Math.sqrt(sigma * sigma + 1);
        }

        @Override
        public double skip(double sigma) {
            return 1 / (sigma * sigma + 1);
        }

        @Override
        public double out(double sigma) {
            return -sigma / Math.sqrt(sigma * sigma + 1);
        }
    }

    /**
     * The preconditioning of Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models", 2022,
     * table 1.
     *
     * @param data     standard deviation of the latents, sigma_data of the paper
     * @param negative whether the network gives the output with the other sign, as after training for v
     */
    record Edm(double data, boolean negative) implements Prediction {
        @Override
        public double input(double sigma) {
            return 1 / Math.sqrt(sigma * sigma + data * data);
        }

        @Override
        public double skip(double sigma) {
            return data * data / (sigma * sigma + data * data);
        }

        @Override
        public double out(double sigma) {
            double out = sigma * data / Math.sqrt(sigma * sigma + data * data);
            return negative ? -out : out;
        }
    }
}
