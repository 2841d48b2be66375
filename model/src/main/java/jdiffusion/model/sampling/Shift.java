package jdiffusion.model.sampling;

/**
 * Moves the noise levels of a schedule towards more noise, since a larger image hides its content under the same
 * noise less (Esser et al., "Scaling Rectified Flow Transformers", 2024, section 5.3.2).
 *
 * <p>Both kinds are the map t -> s / (s + 1/t - 1) of 0..1 to itself, but are written and rounded as diffusers
 * writes them.
 */
public sealed interface Shift {
    /** The shifted noise level for {@code t}, above 0 and, but for rounding, at most 1. */
    double apply(double t);

    /** The same, rounded to float32 after each operation as torch does with float32 tensors. */
    float apply(float t);

    /** A factor that holds for every image size: {@code shift} of the scheduler's configuration. */
    record Static(double factor) implements Shift {
        @Override
        public double apply(double t) {
            return factor * t / (1 + (factor - 1) * t);
        }

        @Override
        public float apply(float t) {
            return (float) factor * t / (1 + (float) (factor - 1) * t);
        }
    }

    /** A factor made from the size of the image: e^mu, or mu itself, of the scheduler's dynamic shifting. */
    record Dynamic(double factor) implements Shift {
        @Override
        public double apply(double t) {
            return factor / (factor + (1 / t - 1));
        }

        @Override
        public float apply(float t) {
            return (float) factor / ((float) factor + (1 / t - 1));
        }
    }
}
