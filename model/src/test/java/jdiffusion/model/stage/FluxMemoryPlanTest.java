package jdiffusion.model.stage;

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
import jdiffusion.model.OnEmulatedDevice;
import jdiffusion.model.TestData;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.quantize.QuantizeRules;
import jdiffusion.model.quantize.QuantizingFiles;
import jdiffusion.model.synthetic.SyntheticFiles;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.tensor.DType;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** FLUX's ways through the pipeline take what is planned, to the byte, and draw the same wherever weights are. */
@OnEmulatedDevice
class FluxMemoryPlanTest {
    private static final int IDS = 1024;
    private static final int HEIGHT = 16;
    private static final int WIDTH = 48;

    /** One run: what was planned, what was taken, and what came out. */
    private record Run(MemoryPlan plan, List<StageMemory> taken, Picture picture) {
    }

    /**
     * @param quantize rules; null for none
     * @param stages   names, in order
     */
    private record Way(String name, String kind, String quantize, List<String> stages) {
        private static final List<String> ALL = List.of("text_encoder", "text_encoder_2", "transformer", "vae decode");
        private static final List<String> WITH_IMAGE =
                List.of("text_encoder", "text_encoder_2", "vae encode", "transformer", "vae decode");
        private static final List<Way> WAYS = List.of(new Way("dev", "flux-dev", null, ALL),
                new Way("schnell", "flux-schnell", null, ALL), new Way("two passes", "flux-dev", null, ALL),
                new Way("inpainting", "flux-dev", null, WITH_IMAGE), new Way("nf4", "flux-dev", "nf4", ALL),
                new Way("q4_0", "flux-dev", "q4_0", ALL));

        Run run(Backend backend, Offload offload) {
            SyntheticModel model = Families.synthetic(kind).tiny(new Vocabularies(IDS, IDS, IDS));
            try (SyntheticFiles files = new SyntheticFiles(model, model.parts().keySet(), DType.BF16,
                    TestData.defaultModel());
                    Pipeline pipeline = Pipeline.open(quantize == null ? files
                            : new QuantizingFiles(files, QuantizeRules.parse(quantize)), backend,
                            MemoryPolicy.of(offload))) {
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
                    .steps(2).seed(1).t5Length(24);
            byte[] white = new byte[3 * WIDTH * HEIGHT];
            Arrays.fill(white, 0, white.length / 2, (byte) 255);
            Picture picture = new Picture(WIDTH, HEIGHT, white);
            return switch (name) {
                case "two passes" -> request.guidance(3).negativePrompt("").build();
                case "inpainting" -> request.init(picture, 0.9).mask(picture).build();
                default -> request.build();
            };
        }
    }

    @TestFactory
    Stream<DynamicTest> theCpu() {
        return Way.WAYS.stream().map(way -> DynamicTest.dynamicTest(way.name, () -> {
            for (Precision precision : List.of(Precision.F32, Precision.BF16)) {
                try (Backend backend = new CpuBackend(2, precision)) {
                    Run run = way.run(backend, Offload.STAGES);
                    assertThat(run.taken).isEqualTo(run.plan.stages());
                    assertThat(run.taken).extracting(StageMemory::name).isEqualTo(way.stages);
                    assertThat(backend.memory().live()).isZero();
                }
            }
        }));
    }

    @TestFactory
    Stream<DynamicTest> aDevice() {
        return Way.WAYS.stream().filter(way -> !way.kind.equals("flux-schnell"))
                .map(way -> DynamicTest.dynamicTest(way.name, () -> {
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
            Run stages = runs.get(Offload.STAGES);
            for (Offload other : List.of(Offload.NONE, Offload.SEQUENTIAL)) {
                assertThat(runs.get(other).picture.rgb()).as("%s", other).isEqualTo(stages.picture.rgb());
            }
            int denoiser = way.stages.indexOf("transformer");
            StageMemory streamed = runs.get(Offload.SEQUENTIAL).plan.stages().get(denoiser);
            assertThat(streamed.slots()).isPositive();
            assertThat(streamed.weights() + streamed.slots()).isLessThan(stages.plan.stages().get(denoiser).weights());
        }));
    }
}
