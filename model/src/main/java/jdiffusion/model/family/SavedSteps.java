package jdiffusion.model.family;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import jdiffusion.model.sampling.SamplerSettings;
import jdiffusion.model.sampling.Sigmas;
import jdiffusion.tensor.InputException;

/**
 * What one draw's network predicted in each step, with all guidance. Another run goes through the same steps without
 * asking a network, whatever the sampler keeps of earlier ones and draws, and comes to the same latents.
 *
 * @param sampler     with its settings, as {@link SamplerSettings} says them
 * @param levels      noise levels of the steps, and the one that the last of them goes to
 * @param start       latents before the first, [images, channels, height, width]
 * @param predictions for each step, of the same shape
 */
public record SavedSteps(String sampler, List<Float> levels, float[] start, List<float[]> predictions) {
    public SavedSteps {
        levels = List.copyOf(levels);
        predictions = List.copyOf(predictions);
        if (levels.size() != predictions.size() + 1 || predictions.stream().anyMatch(p -> p.length != start.length)) {
            throw new InputException("the saved run has " + predictions.size() + " predictions for latents of "
                    + start.length + " numbers and " + levels.size() + " noise levels, which do not belong together");
        }
    }

    /** Keeps them while a run goes on: one draw, of one picture or of a batch. */
    public static final class Keeper implements Progress {
        private float[] start;
        private final List<float[]> predictions = new ArrayList<>();

        @Override
        public void see(String name, Supplier<float[]> values) {
            if (name.equals("latents.start")) {
                if (start != null) {
                    throw new IllegalStateException("steps of one draw are kept, and here a second one begins");
                }
                start = values.get();
            }
        }

        @Override
        public void predicted(Supplier<float[]> prediction) {
            predictions.add(prediction.get());
        }

        /**
         * What was kept.
         *
         * @param sigmas of the run
         * @param first  the evaluation that it began with
         */
        public SavedSteps saved(SamplerSettings sampler, Sigmas sigmas, int first) {
            return new SavedSteps(sampler.toString(), levels(sigmas, first, predictions.size()), start, predictions);
        }
    }

    private static List<Float> levels(Sigmas sigmas, int first, int steps) {
        List<Float> levels = new ArrayList<>();
        for (int i = first; i <= first + steps; i++) {
            levels.add(i < sigmas.evaluations() ? sigmas.sigma(i) : 0f);
        }
        return levels;
    }

    /**
     * Fails when a run cannot go through these steps.
     *
     * @param at how many of them
     */
    void check(SamplerSettings other, Sigmas sigmas, int first, int at) {
        if (at < 1 || at > predictions.size()) {
            throw new InputException("the run is to branch after step " + at + "; the saved one has steps 1 to "
                    + predictions.size());
        }
        if (!other.toString().equals(sampler)) {
            throw new InputException("the saved steps are of the sampler " + sampler + ", and this run has " + other
                    + "; they lead to the same latents with the same sampler alone");
        }
        if (first + at > sigmas.evaluations()) {
            throw new InputException("the run is to branch after step " + at + ", but has " + (sigmas.evaluations()
                    - first) + " steps itself");
        }
        List<Float> here = levels(sigmas, first, at);
        for (int i = 0; i <= at; i++) {
            if (!here.get(i).equals(levels.get(i))) {
                throw new InputException("the saved run has noise level " + levels.get(i) + " before step " + (i + 1)
                        + ", and this one " + here.get(i) + "; give the same steps, schedule, shift and strength");
            }
        }
    }

    /** Fails when a run begins with other latents. */
    public void checkStart(float[] latents) {
        if (!Arrays.equals(latents, start)) {
            String sizes = start.length == latents.length ? ""
                    : " (" + start.length + " numbers, here " + latents.length + ")";
            throw new InputException("the saved run began with other latents than this one" + sizes + "; give the same"
                    + " seed, size, number of pictures, noise and picture to start from");
        }
    }
}
