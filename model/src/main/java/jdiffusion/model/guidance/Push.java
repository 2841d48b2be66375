package jdiffusion.model.guidance;

import java.util.List;

/**
 * A further prediction with the prompt, made by a network that attends worse in some layers, is pushed away from:
 * v += scale (c - perturbed).
 */
public sealed interface Push extends Guider permits Push.PerturbedAttention, Push.SmoothedEnergy {
    /** The greatest scale that can be asked for. */
    double GREATEST = 1000;

    /** Its name. */
    String label();

    float scale();

    /** Layers whose attention changes; empty for those that are usual for the model. */
    List<Integer> layers();

    double start();

    double stop();

    /** What becomes of attention in the layers that are given. */
    AttentionChange change(List<Integer> inLayers);

    /** Whether evaluation i of n takes part; both ends exclusive, as diffusers' guiders count. */
    default boolean active(int i, int n) {
        return scale() > 0 && i > (int) (start() * n) && i < (int) (stop() * n);
    }

    private static String text(Push push, String more) {
        String scale = Call.shown(Double.parseDouble(Float.toString(push.scale())));
        return push.label() + "(scale=" + scale + more + ",start=" + Call.shown(push.start()) + ",stop="
                + Call.shown(push.stop())
                + (push.layers().isEmpty() ? "" : ",layers=" + Call.shown(push.layers())) + ")";
    }

    /**
     * Perturbed-attention guidance (Ahn et al., "Self-Rectifying Diffusion Sampling with Perturbed-Attention Guidance",
     * 2024): every token attends to itself alone.
     */
    record PerturbedAttention(float scale, List<Integer> layers, double start, double stop) implements Push {
        public PerturbedAttention {
            layers = List.copyOf(layers);
        }

        static PerturbedAttention read(Call call) {
            float scale = (float) call.number("scale", 2.8, 0, GREATEST);
            double start = call.number("start", 0.01, 0, 1);
            double stop = call.number("stop", Math.max(0.2, start), start, 1);
            return new PerturbedAttention(scale, call.layers("layers"), start, stop);
        }

        @Override
        public String label() {
            return "pag";
        }

        @Override
        public AttentionChange change(List<Integer> inLayers) {
            return AttentionChange.identity(inLayers);
        }

        @Override
        public String text() {
            return Push.text(this, "");
        }
    }

    /**
     * Smoothed energy guidance (Hong, "Smoothed Energy Guidance: Guiding Diffusion Models with Reduced Energy Curvature
     * of Attention", 2024): the image's queries are blurred over the picture.
     *
     * @param sigma of the blur, in tokens; infinite for the mean of all queries
     */
    record SmoothedEnergy(float scale, double sigma, List<Integer> layers, double start, double stop)
            implements Push {
        private static final double LEAST_SIGMA = 0.01;
        /** From here on the blur is taken as infinite, as in diffusers. */
        private static final double LARGEST_SIGMA = 9999;

        public SmoothedEnergy {
            layers = List.copyOf(layers);
        }

        static SmoothedEnergy read(Call call) {
            float scale = (float) call.number("scale", 2.8, 0, GREATEST);
            double sigma = call.number("sigma", Double.POSITIVE_INFINITY, LEAST_SIGMA, Double.POSITIVE_INFINITY);
            double start = call.number("start", 0, 0, 1);
            double stop = call.number("stop", 1, start, 1);
            return new SmoothedEnergy(scale, sigma > LARGEST_SIGMA ? Double.POSITIVE_INFINITY : sigma,
                    call.layers("layers"), start, stop);
        }

        @Override
        public String label() {
            return "seg";
        }

        @Override
        public AttentionChange change(List<Integer> inLayers) {
            return AttentionChange.blurred(inLayers, sigma);
        }

        @Override
        public String text() {
            return Push.text(this, ",sigma=" + Call.shown(sigma));
        }
    }
}
