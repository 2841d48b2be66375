package jdiffusion.model.stage;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.counting.CountingBackend;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.EmulatedCuda;
import jdiffusion.model.OnEmulatedDevice;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.DiffusersFolder;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.sampling.SkipLayers;
import org.junit.jupiter.api.Test;

/** What is planned is what is taken, to the byte; and a picture does not depend on where its weights were. */
@OnEmulatedDevice
class MemoryPlanTest {
    /** One run: what was planned, what was taken, and what came out. */
    private record Run(MemoryPlan plan, List<StageMemory> taken, Picture picture) {
    }

    private static GenerationRequest request(Pipeline pipeline) {
        Picture init = new Picture(32, 48, new byte[3 * 32 * 48]);
        return pipeline.request("a red circle").toBuilder().size(32, 48).steps(2).guidance(3).t5Length(9).seed(1)
                .skipLayers(new SkipLayers(List.of(1), 2, 0, 1)).init(init, 0.9).build();
    }

    private static Run run(Pipeline pipeline) {
        GenerationRequest request = request(pipeline);
        MemoryPlan plan = pipeline.plan(request);
        List<StageMemory> taken = new ArrayList<>();
        Picture picture = pipeline.generate(request, new Progress() {
            @Override
            public void used(Progress.Stage stage, StageMemory memory) {
                taken.add(memory);
            }
        }).getFirst();
        return new Run(plan, taken, picture);
    }

    private static Pipeline open(Backend backend, Offload offload) {
        return Pipeline.open(DiffusersFolder.open(TestData.defaultModel(), Families.ALL), backend, MemoryPolicy.of(offload));
    }

    @Test
    void aDeviceTakesWhatWasPlanned() {
        Map<Offload, Run> runs = new HashMap<>();
        for (Offload offload : Offload.values()) {
            // With its checks the device copies to streams as late as their rules allow.
            try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, offload == Offload.SEQUENTIAL)) {
                try (Pipeline pipeline = open(cuda.backend(), offload)) {
                    Run run = run(pipeline);
                    assertThat(run.taken).isEqualTo(run.plan.stages());
                    assertThat(cuda.peakBytes()).isEqualTo(run.plan.peak());
                    assertThat(cuda.allocatedBytes() > 0).isEqualTo(offload == Offload.NONE);
                    runs.put(offload, run);
                }
                assertThat(cuda.allocatedBytes()).isZero();
            }
        }
        Run stages = runs.get(Offload.STAGES);
        for (Offload other : List.of(Offload.NONE, Offload.SEQUENTIAL)) {
            assertThat(runs.get(other).picture.rgb()).as("%s", other).isEqualTo(stages.picture.rgb());
        }
        assertThat(stages.plan.stages()).extracting(StageMemory::name).containsExactly("text_encoder", "text_encoder_2",
                "text_encoder_3", "vae encode", "transformer", "vae decode");
        long weights = stages.plan.stages().stream().limit(5).mapToLong(StageMemory::weights).sum();
        assertThat(runs.get(Offload.NONE).plan.stages()).allSatisfy(stage ->
                assertThat(stage.peak()).isGreaterThan(weights));
        StageMemory streamed = runs.get(Offload.SEQUENTIAL).plan.stages().get(4);
        assertThat(streamed.slots()).isPositive();
        assertThat(streamed.weights() + streamed.slots()).isLessThan(stages.plan.stages().get(4).weights());
    }

    @Test
    void aDeviceTakesWhatWasPlannedOnTiles() {
        MemoryPolicy tiled = new MemoryPolicy(Offload.STAGES, Set.of(), MemoryPolicy.Tiling.ON, 4, Long.MAX_VALUE);
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, false)) {
            Pipeline pipeline = Pipeline.open(DiffusersFolder.open(TestData.defaultModel(), Families.ALL), cuda.backend(), tiled);
            Run run = run(pipeline);
            assertThat(run.taken).isEqualTo(run.plan.stages());
            assertThat(cuda.peakBytes()).isEqualTo(run.plan.peak());
            MemoryPlan whole = pipeline.withPolicy(MemoryPolicy.of(Offload.STAGES)).plan(request(pipeline));
            for (int stage : new int[] {3, 5}) {
                assertThat(run.taken.get(stage).tile()).isEqualTo(32);
                assertThat(run.taken.get(stage).workspace()).isLessThan(whole.stages().get(stage).workspace());
            }
        }
    }

    @Test
    void theCpuTakesWhatWasPlanned() {
        try (Backend backend = new CpuBackend(2, Precision.F32)) {
            Run run = run(open(backend, Offload.STAGES));
            assertThat(run.taken).isEqualTo(run.plan.stages());
            assertThat(run.taken).allSatisfy(stage -> {
                assertThat(stage.peak()).isEqualTo(stage.workspace()).isPositive();
                assertThat(stage.mapped()).isPositive();
                assertThat(stage.weights() + stage.slots()).isZero();
            });
            assertThat(backend.memory().live()).isZero();
            assertThat(run(open(backend, Offload.SEQUENTIAL)).picture.rgb()).isEqualTo(run.picture.rgb());
        }
    }

    @Test
    void aPlanNeedsNoDevice() {
        try (Backend count = CountingBackend.ofCuda(Precision.F16); EmulatedCuda cuda =
                EmulatedCuda.open(Precision.F16, false)) {
            for (Offload offload : Offload.values()) {
                Pipeline real = open(cuda.backend(), offload);
                Pipeline twin = open(count, offload);
                assertThat(twin.plan(request(twin))).isEqualTo(real.plan(request(real)));
            }
            assertThat(cuda.peakBytes()).isZero();
        }
    }
}
