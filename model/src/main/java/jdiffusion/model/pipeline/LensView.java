package jdiffusion.model.pipeline;

import java.util.List;
import java.util.Map;

/**
 * What would be drawn if the network ended after a block: estimates of the clean latents of the first picture.
 *
 * @param blocks    names of the blocks' outputs
 * @param estimates by evaluation of the denoiser, for each block [channels, height / factor, width / factor], with
 *                  guidance where the request has it
 * @param run       the run itself, which looking did not change
 */
public record LensView(List<String> blocks, Map<Integer, List<float[]>> estimates, Run run) {
}
