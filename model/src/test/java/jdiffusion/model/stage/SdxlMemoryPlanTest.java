package jdiffusion.model.stage;

import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.model.OnEmulatedDevice;
import jdiffusion.model.TestData;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.image.Picture;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.pipeline.RefinedPipeline;
import jdiffusion.model.synthetic.SyntheticFiles;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.model.vae.TaesdFile;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** SDXL's ways through the pipeline take what is planned, to the byte, and draw the same wherever weights are. */
@OnEmulatedDevice
class SdxlMemoryPlanTest {
    private static final int IDS = 1024;
    private static final int HEIGHT = 24;
    private static final int WIDTH = 40;
    private static final List<String> TEXT = List.of("text_encoder", "text_encoder_2");

    @TempDir
    private static Path folder;

    /** @param stages names, in order */
    private record Way(String name, String kind, List<String> stages) {
        private static final List<Way> PLAIN = List.of(new Way("guidance", "sdxl", names(TEXT, "unet", "vae decode")),
                new Way("turbo", "sdxl-turbo", names(TEXT, "unet", "vae decode")),
                new Way("image", "sdxl", names(TEXT, "vae encode", "unet", "vae decode")));
        /** These have all stages that there are, with guidance. */
        private static final List<Way> LONG = List.of(
                new Way("inpainting", "sdxl-inpainting", names(TEXT, "vae encode", "vae encode", "unet", "vae decode")),
                new Way("image and taesd", "sdxl", names(TEXT, "vae encode", "unet", "taesd decode")),
                new Way("refiner", "sdxl", names(TEXT, "text_encoder_2", "unet", "unet", "vae decode")));

        private static List<String> names(List<String> first, String... more) {
            return Stream.concat(first.stream(), Arrays.stream(more)).toList();
        }

        PlannedRun run(Backend backend, Offload offload) {
            try (SyntheticFiles files = files(kind); SyntheticFiles more = files("sdxl-refiner");
                    Pipeline base = Pipeline.open(files, backend, MemoryPolicy.of(offload))) {
                Pipeline pipeline = name.endsWith("taesd") ? base.withTaesd(taesd()) : base;
                GenerationRequest request = request(pipeline);
                if (name.equals("refiner")) {
                    try (var both = new RefinedPipeline(pipeline, pipeline.beside(more), 0.5)) {
                        return PlannedRun.of(both.plan(request), progress -> both.generate(request, progress));
                    }
                }
                try (pipeline) {
                    return PlannedRun.of(pipeline.plan(request), progress -> pipeline.generate(request, progress));
                }
            }
        }

        private GenerationRequest request(Pipeline pipeline) {
            GenerationRequest.Builder request = pipeline.request("a red circle").toBuilder().size(WIDTH, HEIGHT)
                    .steps(2).seed(1);
            byte[] rgb = new byte[3 * WIDTH * HEIGHT];
            return switch (name) {
                case "image", "image and taesd" -> request.init(new Picture(WIDTH, HEIGHT, rgb), 0.9).build();
                case "inpainting" -> request.init(new Picture(WIDTH, HEIGHT, rgb), 0.9).mask(mask()).build();
                default -> request.build();
            };
        }

        private static Picture mask() {
            byte[] rgb = new byte[3 * WIDTH * HEIGHT];
            Arrays.fill(rgb, 0, rgb.length / 2, (byte) 255);
            return new Picture(WIDTH, HEIGHT, rgb);
        }
    }

    private static SyntheticFiles files(String kind) {
        SyntheticModel model = Families.synthetic(kind).tiny(new Vocabularies(IDS, IDS, 0));
        return new SyntheticFiles(model, model.parts().keySet(), DType.F32, TestData.defaultModel());
    }

    /** A decoder for 4 channels of random numbers, in the names of a plain sequence: three doublings. */
    private static TaesdFile taesd() {
        Map<String, Tensor> tensors = new TreeMap<>();
        conv(tensors, "1", 8, 4);
        tensors.put("1.bias", Tensor.of(new float[8], 8));
        for (int level = 0; level < 4; level++) {
            int layer = 3 + 3 * level;
            for (String inner : List.of(".conv.0", ".conv.2", ".conv.4")) {
                conv(tensors, layer + inner, 8, 8);
                tensors.put(layer + inner + ".bias", Tensor.of(new float[8], 8));
            }
            if (level < 3) {
                conv(tensors, Integer.toString(layer + 2), 8, 8);
            }
        }
        conv(tensors, "13", 3, 8);
        tensors.put("13.bias", Tensor.of(new float[3], 3));
        Path file = folder.resolve("taesdxl_decoder.safetensors");
        SafetensorsWriter.write(file, tensors, Map.of());
        return TaesdFile.of(file);
    }

    private static void conv(Map<String, Tensor> to, String name, int out, int in) {
        float[] values = new Random(name.hashCode()).doubles(9L * out * in, -0.2, 0.2).collect(
                () -> FloatBuffer.allocate(9 * out * in), (all, value) -> all.put((float) value),
                (_, _) -> { }).array();
        to.put(name + ".weight", Tensor.of(values, out, in, 3, 3));
    }

    @TestFactory
    Stream<DynamicTest> theCpu() {
        return Stream.of(Way.PLAIN, Way.LONG).flatMap(List::stream).map(way -> DynamicTest.dynamicTest(way.name,
                () -> PlannedRun.assertOnCpu(way::run, Precision.F32, way.stages)));
    }

    @TestFactory
    Stream<DynamicTest> aDevice() {
        return Way.LONG.stream().map(way -> DynamicTest.dynamicTest(way.name,
                () -> PlannedRun.assertOnDevice(way::run, way.stages, "unet")));
    }
}
