package jdiffusion.kernels;

import jdiffusion.tensor.DType;

/**
 * What decides how much memory a backend takes, for who only counts it.
 *
 * @param precision of products
 * @param device    whether weights have to be brought to a memory of the device's own
 * @param operands  type of what only products read
 */
public record MemoryModel(Precision precision, boolean device, DType operands) {
}
