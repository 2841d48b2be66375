package jdiffusion.model.stage;

import java.util.Set;
import jdiffusion.model.checkpoint.Component;

/**
 * How a pipeline trades time for memory.
 *
 * @param streamed components whose blocks are streamed, though others may not be
 * @param tiling   whether the VAE works on tiles
 * @param tile     side of a tile in latent pixels, 8 of the picture's each; 0 for the largest that fits
 * @param budget   bytes that may be taken of the device's memory (of the host's, on the CPU, beside the mapped files);
 *                 tiles are made to fit it, all else takes what it takes
 */
public record MemoryPolicy(Offload offload, Set<Component> streamed, Tiling tiling, int tile, long budget) {
    /** Beside what the JVM itself and its heap take, 1.5 GiB are enough then. */
    private static final long CPU_BUDGET = 1L << 30;

    /** Whether the VAE works on tiles of the picture. */
    public enum Tiling { AUTO, ON, OFF }

    public static final MemoryPolicy DEFAULT = of(Offload.STAGES);

    public MemoryPolicy {
        streamed = Set.copyOf(streamed);
    }

    public static MemoryPolicy of(Offload offload) {
        return new MemoryPolicy(offload, Set.of(), Tiling.AUTO, 0, Long.MAX_VALUE);
    }

    public MemoryPolicy withStreamed(Set<Component> components) {
        return new MemoryPolicy(offload, components, tiling, tile, budget);
    }

    /** @param newTile see {@link #tile} */
    public MemoryPolicy withTiling(Tiling newTiling, int newTile) {
        return new MemoryPolicy(offload, streamed, newTiling, newTile, budget);
    }

    public MemoryPolicy withBudget(long bytes) {
        return new MemoryPolicy(offload, streamed, tiling, tile, bytes);
    }

    /** Whether the blocks of a component pass through two slots of a device's memory. */
    public boolean streams(Component component) {
        return offload == Offload.SEQUENTIAL || streamed.contains(component);
    }

    /** The budget, or on the CPU a modest one where there is none. */
    public long budget(boolean onDevice) {
        return onDevice || budget != Long.MAX_VALUE ? budget : CPU_BUDGET;
    }
}
