package jdiffusion.model.family;

import jdiffusion.model.sampling.SamplerSettings;
import jdiffusion.model.sampling.Sigmas;

/**
 * Where a run leaves another one: up to there it takes the other's predictions, after it all is its own.
 *
 * @param steps of the other run
 * @param at    how many of them are taken
 */
public record BranchPoint(SavedSteps steps, int at) {
    /**
     * Fails when a run cannot take them.
     *
     * @param first the evaluation that it begins with
     */
    public void check(SamplerSettings sampler, Sigmas sigmas, int first) {
        steps.check(sampler, sigmas, first, at);
    }
}
