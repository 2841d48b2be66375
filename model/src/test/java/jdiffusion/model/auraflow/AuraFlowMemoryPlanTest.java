package jdiffusion.model.auraflow;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.model.OnEmulatedDevice;
import jdiffusion.model.TestData;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.image.Picture;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.stage.Offload;
import jdiffusion.model.stage.PlannedRun;
import jdiffusion.model.synthetic.SyntheticFiles;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.tensor.DType;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** AuraFlow's ways through the pipeline take what is planned, to the byte, and draw the same wherever weights are. */
@OnEmulatedDevice
class AuraFlowMemoryPlanTest {
    private static final int HEIGHT = 32;
    private static final int WIDTH = 48;
    private static final int TOKENS = 20;

    /** What is asked of the model. */
    private enum Way {
        TEXT, UNGUIDED, IMAGE, INPAINTING;

        private List<String> stages() {
            return ordinal() < IMAGE.ordinal() ? List.of("text_encoder", "transformer", "vae decode")
                    : List.of("text_encoder", "vae encode", "transformer", "vae decode");
        }

        PlannedRun run(Backend backend, Offload offload) {
            SyntheticModel model = Families.synthetic("auraflow").tiny(new Vocabularies(0, 0,
                    Tokenizer.load(TestData.defaultModel().resolve("tokenizer_llama")).size()));
            try (SyntheticFiles files = new SyntheticFiles(model, model.parts().keySet(), DType.F32,
                    TestData.defaultModel());
                    Pipeline pipeline = Pipeline.open(files, backend, MemoryPolicy.of(offload))) {
                GenerationRequest request = request(pipeline);
                return PlannedRun.of(pipeline.plan(request), progress -> pipeline.generate(request, progress));
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
            PlannedRun.assertOnCpu(way::run, Precision.F32, way.stages());
            PlannedRun.assertOnCpu(way::run, Precision.BF16, way.stages());
        }));
    }

    @TestFactory
    Stream<DynamicTest> aDevice() {
        return Stream.of(Way.TEXT, Way.INPAINTING).map(way -> DynamicTest.dynamicTest(way.toString(),
                () -> PlannedRun.assertOnDevice(way::run, way.stages(), "transformer")));
    }
}
