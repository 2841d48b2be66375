package jdiffusion.model.stage;

import jdiffusion.model.checkpoint.Component;

/**
 * The memory of one run of a component, in bytes.
 *
 * @param mapped    of the files, read where they are mapped; 0 where they are copied to a device's memory
 * @param weights   in the device's memory, of this component: what stays while it runs
 * @param slots     in the device's memory: both places through which blocks of layers pass
 * @param workspace temporaries
 * @param peak      the most that was taken of the device's memory (of the host's, on the CPU, beside the mapped files)
 *                  at any time of the run: the above, scratch memory, and components that stay
 */
public record StageMemory(Component component, long mapped, long weights, long slots, long workspace, long peak) {
}
