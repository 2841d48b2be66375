package jdiffusion.model.stage;

/** How a pipeline trades time for memory. */
public record MemoryPolicy(Offload offload) {
    public static final MemoryPolicy DEFAULT = new MemoryPolicy(Offload.STAGES);
}
