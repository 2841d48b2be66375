package jdiffusion.model.family;

import java.util.List;
import jdiffusion.model.guidance.AttentionChange;

/**
 * What a run of a denoiser is for.
 *
 * @param branches the conditioning of each guidance branch; the batch is all images of the first, then of the next
 * @param images   pictures that are drawn at once
 * @param height   of the latents
 * @param width    of the latents
 * @param times    the times that it will be asked for, as far as known, in their order: what depends on them alone is
 *                 then computed for many at once
 * @param skipped  layers that are left out, for skip-layer guidance; usually none
 * @param control  latents [channels, height, width] that the ControlNet reads; null for a run without it
 * @param change   what guidance changes in the attention of some layers; null for nothing
 * @param reuse    how much what the first block adds may change for the other blocks to be left out, see {@link
 *                 jdiffusion.model.cache.StepCache.FirstBlock}; not a number where they always run
 */
public record DenoiserSetup(List<Conditioning> branches, int images, int height, int width, float[] times,
                            List<Integer> skipped, float[] control, AttentionChange change, double reuse) {
    public DenoiserSetup {
        branches = List.copyOf(branches);
        skipped = List.copyOf(skipped);
    }

    /** One whose attention is as it was trained. */
    public DenoiserSetup(List<Conditioning> branches, int images, int height, int width, float[] times,
                         List<Integer> skipped, float[] control) {
        this(branches, images, height, width, times, skipped, control, null, Double.NaN);
    }

    /** One without more than the usual. */
    public DenoiserSetup(List<Conditioning> branches, int images, int height, int width, float[] times) {
        this(branches, images, height, width, times, List.of(), null);
    }

    /** Entries of a batch. */
    public int batch() {
        return branches.size() * images;
    }

    /** One entry of the batch by itself, whose blocks may be left out. */
    public DenoiserSetup alone(int entry, double threshold) {
        return new DenoiserSetup(List.of(branch(entry)), 1, height, width, times, skipped, control, change, threshold);
    }

    /** Whether blocks may be left out. */
    public boolean reuses() {
        return !Double.isNaN(reuse);
    }

    /** For each entry of the batch its conditioning. */
    public Conditioning branch(int entry) {
        return branches.get(entry / images);
    }
}
