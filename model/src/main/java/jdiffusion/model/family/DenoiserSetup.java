package jdiffusion.model.family;

import java.util.Collections;
import java.util.List;
import jdiffusion.model.guidance.AttentionChange;

/**
 * What a run of a denoiser is for.
 *
 * @param entries  the conditioning of each entry of the batch, which is all images of the first guidance branch, then
 *                 of the next
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
public record DenoiserSetup(List<Conditioning> entries, int images, int height, int width, float[] times,
                            List<Integer> skipped, float[] control, AttentionChange change, double reuse) {
    public DenoiserSetup {
        entries = List.copyOf(entries);
        skipped = List.copyOf(skipped);
        if (entries.isEmpty() || entries.size() % images != 0) {
            throw new IllegalArgumentException(entries.size() + " conditionings do not divide among " + images
                    + " images");
        }
        for (Conditioning entry : entries) {
            if (!entry.shapes().equals(entries.getFirst().shapes())) {
                throw new IllegalArgumentException("conditionings of one run differ in shape: " + entry.shapes()
                        + " and " + entries.getFirst().shapes());
            }
        }
    }

    /** One whose attention is as it was trained. */
    public DenoiserSetup(List<Conditioning> entries, int images, int height, int width, float[] times,
                         List<Integer> skipped, float[] control) {
        this(entries, images, height, width, times, skipped, control, null, Double.NaN);
    }

    /** One without more than the usual. */
    public DenoiserSetup(List<Conditioning> entries, int images, int height, int width, float[] times) {
        this(entries, images, height, width, times, List.of(), null);
    }

    /** Entries of a batch. */
    public int batch() {
        return entries.size();
    }

    /** Rows of text of each entry. */
    public int tokens() {
        return entries.getFirst().context().rows();
    }

    /** Entries from one on up to another, of all images of some branches. */
    public DenoiserSetup part(int from, int to) {
        return new DenoiserSetup(entries.subList(from, to), images, height, width, times, skipped, control, change,
                reuse);
    }

    /** The same without some layers. */
    public DenoiserSetup skipping(List<Integer> layers) {
        return new DenoiserSetup(entries, images, height, width, times, layers, control, change, reuse);
    }

    /** One entry of the batch by itself, whose blocks may be left out. */
    public DenoiserSetup alone(int entry, double threshold) {
        return new DenoiserSetup(List.of(entries.get(entry)), 1, height, width, times, skipped, control, change,
                threshold);
    }

    /** Whether blocks may be left out. */
    public boolean reuses() {
        return !Double.isNaN(reuse);
    }

    /** For each entry of a batch its conditioning, where all images have those of the guidance branches. */
    public static List<Conditioning> repeated(List<Conditioning> branches, int images) {
        return branches.stream().flatMap(branch -> Collections.nCopies(images, branch).stream()).toList();
    }
}
