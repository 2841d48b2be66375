package jdiffusion.model.stage;

import jdiffusion.model.checkpoint.Component;

/**
 * The memory of one run of a component, in bytes.
 *
 * @param name      the component's folder, of the VAE also what it does
 * @param mapped    of the files, read where they are mapped; 0 where they are copied to a device's memory
 * @param weights   in the device's memory, of this component: what stays while it runs
 * @param slots     in the device's memory: both places through which blocks of layers pass
 * @param workspace temporaries
 * @param peak      the most that was taken of the device's memory (of the host's, on the CPU, beside the mapped files)
 *                  at any time of the run: the above, scratch memory, and components that stay
 * @param tile      side of the tiles that the VAE works on, in pixels of the picture; 0 when it sees the whole
 */
public record StageMemory(Component component, String name, long mapped, long weights, long slots, long workspace,
                          long peak, int tile) {
    /** Scratch memory and the weights of other components. */
    public long others() {
        return peak - weights - slots - workspace;
    }

    /** The same of a VAE. */
    public StageMemory ofVae(String does, int newTile) {
        return new StageMemory(component, name + " " + does, mapped, weights, slots, workspace, peak, newTile);
    }
}
