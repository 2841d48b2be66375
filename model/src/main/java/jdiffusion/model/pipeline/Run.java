package jdiffusion.model.pipeline;

import java.util.List;
import java.util.Map;
import jdiffusion.model.image.Picture;
import jdiffusion.model.sites.Recording;
import jdiffusion.tensor.Tensor;

/**
 * What came of a run with experiments.
 *
 * @param latents   [images, channels, height / factor, width / factor] clean, as the denoiser sees them
 * @param recording what the probes kept
 */
public record Run(List<Picture> pictures, float[] latents, Recording recording) {
    /** All that was kept of one site, by names such as {@code step.005/cond/block.12.image}. */
    public Map<String, Tensor> tensors(String site) {
        return recording.tensors(site);
    }
}
