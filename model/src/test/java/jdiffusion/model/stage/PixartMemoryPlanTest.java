package jdiffusion.model.stage;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.EmulatedCuda;
import jdiffusion.model.OnEmulatedDevice;
import jdiffusion.model.TestData;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.synthetic.SyntheticFiles;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.tensor.DType;
import org.junit.jupiter.api.Test;

/** PixArt takes what is planned, to the byte, and draws the same wherever its weights are. */
@OnEmulatedDevice
class PixartMemoryPlanTest {
    private static final int IDS = 1024;

    /** What was planned, what was taken, and what came out. */
    private record Run(MemoryPlan plan, List<StageMemory> taken, Picture picture) {
    }

    private static Run run(Backend backend, Offload offload, UnaryOperator<GenerationRequest.Builder> change) {
        SyntheticModel model = Families.synthetic("pixart-sigma").tiny(new Vocabularies(0, 0, IDS));
        List<StageMemory> taken = new ArrayList<>();
        try (SyntheticFiles files = new SyntheticFiles(model, model.parts().keySet(), DType.F32,
                TestData.defaultModel()); Pipeline pipeline = Pipeline.open(files, backend, MemoryPolicy.of(offload))) {
            GenerationRequest request = change.apply(pipeline.request("a red circle").toBuilder().size(48, 32)
                    .resolutionBinning(false).steps(2).t5Length(24).seed(1)).build();
            return new Run(pipeline.plan(request), taken, pipeline.generate(request, new Progress() {
                @Override
                public void used(Progress.Stage stage, StageMemory memory) {
                    taken.add(memory);
                }
            }).getFirst());
        }
    }

    private static Run onCpu(UnaryOperator<GenerationRequest.Builder> change, String... stages) {
        try (Backend backend = new CpuBackend(2, Precision.F32)) {
            Run run = run(backend, Offload.STAGES, change);
            assertThat(run.taken).isEqualTo(run.plan.stages());
            assertThat(run.taken).extracting(StageMemory::name).containsExactly(stages);
            assertThat(run.taken).allSatisfy(stage -> assertThat(stage.workspace()).isPositive());
            assertThat(backend.memory().live()).isZero();
            return run;
        }
    }

    @Test
    void theCpu() {
        onCpu(request -> request, "text_encoder", "transformer", "vae decode");
        onCpu(request -> request.guidance(1).images(2), "text_encoder", "transformer", "vae decode");
        Picture picture = new Picture(48, 32, new byte[3 * 48 * 32]);
        onCpu(request -> request.init(picture, 0.9).mask(picture), "text_encoder", "vae encode", "transformer",
                "vae decode");
    }

    /** What is drawn counts, and not the size that is asked for. */
    @Test
    void aBin() {
        Run small = onCpu(request -> request.resolutionBinning(true).size(3, 2), "text_encoder", "transformer",
                "vae decode");
        Run large = onCpu(request -> request.resolutionBinning(true).size(300, 200), "text_encoder", "transformer",
                "vae decode");
        assertThat(small.plan).isEqualTo(large.plan);
        assertThat(small.picture.width()).isEqualTo(3);
        assertThat(large.picture.height()).isEqualTo(200);
    }

    @Test
    void aDevice() {
        Map<Offload, Run> runs = new HashMap<>();
        for (Offload offload : Offload.values()) {
            try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, false)) {
                Run run = run(cuda.backend(), offload, request -> request);
                assertThat(run.taken).as("%s", offload).isEqualTo(run.plan.stages());
                assertThat(cuda.peakBytes()).as("%s", offload).isEqualTo(run.plan.peak());
                assertThat(cuda.allocatedBytes()).as("%s", offload).isZero();
                runs.put(offload, run);
            }
        }
        Run stages = runs.get(Offload.STAGES);
        for (Offload other : List.of(Offload.NONE, Offload.SEQUENTIAL)) {
            assertThat(runs.get(other).picture.rgb()).as("%s", other).isEqualTo(stages.picture.rgb());
        }
        StageMemory streamed = runs.get(Offload.SEQUENTIAL).plan.stages().get(1);
        assertThat(streamed.slots()).isPositive();
        assertThat(streamed.weights() + streamed.slots()).isLessThan(stages.plan.stages().get(1).weights());
    }
}
