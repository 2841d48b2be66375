package jdiffusion.model.convert;

import java.util.Set;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.quantize.QuantizeRules;
import jdiffusion.tensor.DType;

/**
 * How a model is written.
 *
 * @param components  those that are written, as far as the model has them
 * @param quantize    null to quantise nothing
 * @param type        of what is not quantised; null to leave it as it is
 * @param largestFile bytes of tensors in a file of the diffusers layout
 */
public record ExportOptions(Set<Component> components, QuantizeRules quantize, DType type, long largestFile) {
    /** The size at which diffusers begins a new file. */
    public static final long DIFFUSERS_SHARD = 10_000_000_000L;

    public ExportOptions {
        components = Set.copyOf(components);
    }
}
