package jdiffusion.model.stage;

import java.util.List;

/** The memory of each component's run, in order. */
public record MemoryPlan(List<StageMemory> stages) {
    public MemoryPlan {
        stages = List.copyOf(stages);
    }

    /** The most that is taken of the device's memory at any time; on the CPU, beside the mapped files. */
    public long peak() {
        return stages.stream().mapToLong(StageMemory::peak).max().orElse(0);
    }

    /** The most that is mapped of the files at any time; 0 where a device has a memory of its own. */
    public long mapped() {
        return stages.stream().mapToLong(StageMemory::mapped).max().orElse(0);
    }
}
