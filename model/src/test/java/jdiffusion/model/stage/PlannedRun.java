package jdiffusion.model.stage;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.EmulatedCuda;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;

/** One run of a small model: what was planned, what was taken, and what came out. */
public record PlannedRun(MemoryPlan plan, List<StageMemory> taken, Picture picture) {
    /** A way through the pipeline. */
    @FunctionalInterface
    public interface Way {
        PlannedRun run(Backend backend, Offload offload);
    }

    /** @param draw draws, and tells how it goes on */
    public static PlannedRun of(MemoryPlan plan, Function<Progress, List<Picture>> draw) {
        List<StageMemory> taken = new ArrayList<>();
        Progress progress = new Progress() {
            @Override
            public void used(Progress.Stage stage, StageMemory memory) {
                taken.add(memory);
            }
        };
        Picture picture = draw.apply(progress).getFirst();
        return new PlannedRun(plan, taken, picture);
    }

    private void assertStages(List<String> stages, Offload offload) {
        assertThat(taken).as("%s", offload).isEqualTo(plan.stages());
        assertThat(taken).extracting(StageMemory::name).isEqualTo(stages);
    }

    /** What a CPU takes is what was planned. */
    public static void assertOnCpu(Way way, Precision precision, List<String> stages) {
        try (Backend backend = new CpuBackend(2, precision)) {
            PlannedRun run = way.run(backend, Offload.STAGES);
            run.assertStages(stages, Offload.STAGES);
            assertThat(run.taken).allSatisfy(stage ->
                    assertThat(stage.peak()).isEqualTo(stage.workspace()).isPositive());
            assertThat(backend.memory().live()).isZero();
        }
    }

    /**
     * What a device takes is what was planned, wherever weights are, and so is the picture.
     *
     * @param streamed the stage whose blocks pass through slots
     */
    public static void assertOnDevice(Way way, List<String> stages, String streamed) {
        Map<Offload, PlannedRun> runs = new HashMap<>();
        for (Offload offload : Offload.values()) {
            try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, false)) {
                PlannedRun run = way.run(cuda.backend(), offload);
                run.assertStages(stages, offload);
                assertThat(cuda.peakBytes()).as("%s", offload).isEqualTo(run.plan.peak());
                assertThat(cuda.allocatedBytes()).as("%s", offload).isZero();
                runs.put(offload, run);
            }
        }
        PlannedRun whole = runs.get(Offload.STAGES);
        for (Offload other : List.of(Offload.NONE, Offload.SEQUENTIAL)) {
            assertThat(runs.get(other).picture.rgb()).as("%s", other).isEqualTo(whole.picture.rgb());
        }
        int index = stages.indexOf(streamed);
        StageMemory slots = runs.get(Offload.SEQUENTIAL).plan.stages().get(index);
        assertThat(slots.slots()).isPositive();
        assertThat(slots.weights() + slots.slots()).isLessThan(whole.plan.stages().get(index).weights());
    }
}
