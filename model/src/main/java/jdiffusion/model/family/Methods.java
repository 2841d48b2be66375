package jdiffusion.model.family;

import jdiffusion.model.cache.StepCache;
import jdiffusion.model.guidance.Guiders;
import jdiffusion.model.sampling.NoiseSource;
import jdiffusion.tensor.InputException;

/**
 * What of a request only experiments and comparisons with other programs change.
 *
 * @param guiders     variants of guidance
 * @param cache       how evaluations are saved; null for none
 * @param cacheReport whether the whole network says how far off each saved evaluation is, which takes longer than
 *                    saving none
 * @param noise       where a seed's numbers come from
 * @param weights     how brackets in prompts are read
 * @param compat      the program whose usual settings it has; null for none
 * @param branch      where it leaves a run whose steps were saved; null for a run of its own
 */
public record Methods(Guiders guiders, StepCache cache, boolean cacheReport, NoiseSource noise, PromptWeights weights,
                      Compat compat, BranchPoint branch) {
    public static final Methods NONE = new Methods(Guiders.NONE, null, false, NoiseSource.CPU, PromptWeights.NONE,
            null, null);

    public Methods {
        if (cacheReport && cache == null) {
            throw new InputException("a report on the cache is asked for, but no cache; give one of "
                    + StepCache.KINDS);
        }
    }

    public Methods withGuiders(Guiders value) {
        return new Methods(value, cache, cacheReport, noise, weights, compat, branch);
    }

    /**
     * The same with another cache.
     *
     * @param report see {@link #cacheReport}
     */
    public Methods withCache(StepCache value, boolean report) {
        return new Methods(guiders, value, report, noise, weights, compat, branch);
    }

    public Methods withNoise(NoiseSource value) {
        return new Methods(guiders, cache, cacheReport, value, weights, compat, branch);
    }

    public Methods withWeights(PromptWeights value) {
        return new Methods(guiders, cache, cacheReport, noise, value, compat, branch);
    }

    public Methods withCompat(Compat value) {
        return new Methods(guiders, cache, cacheReport, noise, weights, value, branch);
    }

    public Methods withBranch(BranchPoint value) {
        return new Methods(guiders, cache, cacheReport, noise, weights, compat, value);
    }

    /** The number of the first step where skip-layer guidance counts them. */
    public int firstStep() {
        return compat == null ? 0 : compat.firstStep();
    }
}
