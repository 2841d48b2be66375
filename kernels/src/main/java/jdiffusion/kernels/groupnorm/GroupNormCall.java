package jdiffusion.kernels.groupnorm;

import jdiffusion.kernels.Activation;
import jdiffusion.tensor.Tensor;

/**
 * A GroupNorm without its input: see {@link jdiffusion.kernels.Backend#groupNorm}.
 *
 * @param weight [channels] or null
 * @param bias   [channels] or null
 */
public record GroupNormCall(int groups, Tensor weight, Tensor bias, float eps, Activation activation) {
}
