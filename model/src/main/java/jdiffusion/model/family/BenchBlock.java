package jdiffusion.model.family;

import jdiffusion.model.Compute;
import jdiffusion.model.synthetic.NetworkSizes;

/**
 * A block of a denoiser whose speed is measured by itself.
 *
 * @param label   what kind of block
 * @param sizes   of a denoiser with one block, of this kind
 * @param prepare makes its inputs; what it gives runs the block once
 */
public record BenchBlock(String label, NetworkSizes sizes, Prepare prepare) {
    /** Takes all the memory that the runs need from the compute's workspace. */
    @FunctionalInterface
    public interface Prepare {
        Runnable prepare(Denoiser denoiser, Compute compute, DenoiserSetup setup);
    }
}
