package jdiffusion.model.guidance;

import java.util.List;
import jdiffusion.tensor.InputException;

/** A variant of guidance with its settings, which are checked where they are read. */
public sealed interface Guider permits Guider.Interval, Guider.Rescale, Guider.Auto, Formula, Push {
    /** As {@code --guiders} reads it, with all its settings. */
    String text();

    /**
     * Guidance in a part of the evaluations alone (Kynkäänniemi et al., "Applying Guidance in a Limited Interval
     * Improves Sample and Distribution Quality in Diffusion Models", 2024); in the others the prediction with the
     * prompt is taken, and the one without it is not made.
     *
     * @param start share of the evaluations after which it begins
     * @param stop  share after which it ends
     */
    record Interval(double start, double stop) implements Guider {
        static Interval read(Call call) {
            double start = call.number("start", 0, 0, 1);
            return new Interval(start, call.number("stop", 1, start, 1));
        }

        /** Whether evaluation i of n is guided, as diffusers' guiders count. */
        public boolean active(int i, int n) {
            return i >= (int) (start * n) && i < (int) (stop * n);
        }

        @Override
        public String text() {
            return "interval(" + Call.shown(start) + "," + Call.shown(stop) + ")";
        }
    }

    /**
     * AutoGuidance (Karras et al., "Guiding a Diffusion Model with a Bad Version of Itself", 2024) as diffusers' guider
     * has it: a network without some of its layers predicts with the negative prompt.
     *
     * @param layers that it leaves out
     */
    record Auto(List<Integer> layers) implements Guider {
        public Auto {
            layers = List.copyOf(layers);
        }

        static Auto read(Call call) {
            List<Integer> layers = call.layers("layers");
            if (layers.isEmpty()) {
                throw new InputException("the guider auto needs the layers that its worse network leaves out, such as"
                        + " auto(layers=7-9)");
            }
            return new Auto(layers);
        }

        @Override
        public String text() {
            return "auto(layers=" + Call.shown(layers) + ")";
        }
    }

    /**
     * The share in which the result keeps the deviation of the prediction with the prompt (Lin et al., "Common
     * Diffusion Noise Schedules and Sample Steps are Flawed", 2023, section 3.4).
     */
    record Rescale(double share) implements Guider {
        static Rescale read(Call call) {
            return new Rescale(call.number("share", 0.7, 0, 1));
        }

        @Override
        public String text() {
            return "rescale(" + Call.shown(share) + ")";
        }
    }
}
