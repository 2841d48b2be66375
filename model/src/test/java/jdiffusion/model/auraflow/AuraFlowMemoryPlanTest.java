package jdiffusion.model.auraflow;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.EmulatedCuda;
import jdiffusion.model.TestData;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.stage.MemoryPlan;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.stage.Offload;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.model.synthetic.SyntheticFiles;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.tensor.DType;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** AuraFlow's ways through the pipeline take what is planned, to the byte, and draw the same wherever weights are. */
class AuraFlowMemoryPlanTest {
    private static final int HEIGHT = 48;
    private static final int WIDTH = 80;
    private static final int TOKENS = 20;

    /** One run: what was planned, what was taken, and what came out. */
    private record Run(MemoryPlan plan, List<StageMemory> taken, Picture picture) {
    }

    /** What is asked of the model. */
    private enum Way {
        TEXT("vae decode"), UNGUIDED("vae decode"), IMAGE("vae decode"), INPAINTING("vae decode");

        private final List<String> stages;

        Way(String last) {
            List<String> all = new ArrayList<>(List.of("text_encoder"));
            if (ordinal() > 1) {
                all.add("vae encode");
            }
            all.addAll(List.of("transformer", last));
            stages = List.copyOf(all);
        }

        Run run(Backend backend, Offload offload) {
            SyntheticModel model = Families.synthetic("auraflow").tiny(new Vocabularies(0, 0,
                    Tokenizer.load(TestData.defaultModel().resolve("tokenizer_llama")).size()));
            try (SyntheticFiles files = new SyntheticFiles(model, model.parts().keySet(), DType.F32,
                    TestData.defaultModel());
                    Pipeline pipeline = Pipeline.open(files, backend, MemoryPolicy.of(offload))) {
                GenerationRequest request = request(pipeline);
                List<StageMemory> taken = new ArrayList<>();
                Progress progress = new Progress() {
                    @Override
                    public void used(Progress.Stage stage, StageMemory memory) {
                        taken.add(memory);
                    }
                };
                return new Run(pipeline.plan(request), taken, pipeline.generate(request, progress).getFirst());
            }
        }

        private GenerationRequest request(Pipeline pipeline) {
            GenerationRequest.Builder request = pipeline.request("a red circle").toBuilder().size(WIDTH, HEIGHT)
                    .steps(2).seed(1).t5Length(TOKENS);
            byte[] black = new byte[3 * WIDTH * HEIGHT];
            byte[] half = new byte[3 * WIDTH * HEIGHT];
            Arrays.fill(half, 0, half.length / 2, (byte) 255);
            Picture picture = new Picture(WIDTH, HEIGHT, black);
            return switch (this) {
                case TEXT -> request.build();
                case UNGUIDED -> request.guidance(1).build();
                case IMAGE -> request.init(picture, 0.9).build();
                case INPAINTING -> request.init(picture, 0.9).mask(new Picture(WIDTH, HEIGHT, half)).build();
            };
        }
    }

    @TestFactory
    Stream<DynamicTest> theCpu() {
        return Arrays.stream(Way.values()).map(way -> DynamicTest.dynamicTest(way.toString(), () -> {
            for (Precision precision : List.of(Precision.F32, Precision.BF16)) {
                try (Backend backend = new CpuBackend(2, precision)) {
                    Run run = way.run(backend, Offload.STAGES);
                    assertThat(run.taken).isEqualTo(run.plan.stages());
                    assertThat(run.taken).extracting(StageMemory::name).isEqualTo(way.stages);
                    assertThat(run.taken).allSatisfy(stage ->
                            assertThat(stage.peak()).isEqualTo(stage.workspace()).isPositive());
                    assertThat(backend.memory().live()).isZero();
                }
            }
        }));
    }

    @TestFactory
    Stream<DynamicTest> aDevice() {
        return Stream.of(Way.TEXT, Way.INPAINTING).map(way -> DynamicTest.dynamicTest(way.toString(), () -> {
            Map<Offload, Run> runs = new HashMap<>();
            for (Offload offload : Offload.values()) {
                try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, false)) {
                    Run run = way.run(cuda.backend(), offload);
                    assertThat(run.taken).as("%s", offload).isEqualTo(run.plan.stages());
                    assertThat(run.taken).extracting(StageMemory::name).isEqualTo(way.stages);
                    assertThat(cuda.peakBytes()).as("%s", offload).isEqualTo(run.plan.peak());
                    assertThat(cuda.allocatedBytes()).as("%s", offload).isZero();
                    runs.put(offload, run);
                }
            }
            for (Offload other : List.of(Offload.NONE, Offload.SEQUENTIAL)) {
                assertThat(runs.get(other).picture.rgb()).as("%s", other)
                        .isEqualTo(runs.get(Offload.STAGES).picture.rgb());
            }
            int transformer = way.stages.indexOf("transformer");
            StageMemory streamed = runs.get(Offload.SEQUENTIAL).plan.stages().get(transformer);
            assertThat(streamed.slots()).isPositive();
            assertThat(streamed.weights() + streamed.slots())
                    .isLessThan(runs.get(Offload.STAGES).plan.stages().get(transformer).weights());
        }));
    }
}
