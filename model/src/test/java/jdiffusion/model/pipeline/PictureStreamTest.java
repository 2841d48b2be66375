package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.EmulatedCuda;
import jdiffusion.model.OnEmulatedDevice;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.convert.ExportOptions;
import jdiffusion.model.convert.ExportProgress;
import jdiffusion.model.convert.Exporter;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.MaskFill;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Box;
import jdiffusion.model.image.Picture;
import jdiffusion.model.request.InpaintSettings;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.model.synthetic.SyntheticSource;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.model.vae.TaesdFile;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A picture out of a stream is the one that a request of its own gives, to the byte. */
class PictureStreamTest {
    private static final int WIDTH = 48;
    private static final int HEIGHT = 32;

    @TempDir
    private Path folder;

    private static Picture frame(int seed) {
        byte[] rgb = new byte[3 * WIDTH * HEIGHT];
        Random random = new Random(seed);
        int[] from = {random.nextInt(256), random.nextInt(256), random.nextInt(256)};
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) (from[i % 3] + i / 3 % WIDTH + i / 3 / WIDTH);
        }
        return new Picture(WIDTH, HEIGHT, rgb);
    }

    /** Draws three frames, the first once more, each also by itself. */
    private static void check(Pipeline pipeline, UnaryOperator<GenerationRequest.Builder> changes) {
        GenerationRequest request = changes.apply(pipeline.request("a red circle").toBuilder().size(WIDTH, HEIGHT)
                .steps(2).seed(3).init(frame(0), 0.5)).build();
        List<Picture> drawn = new ArrayList<>();
        Map<List<Number>, Picture> alone = new HashMap<>();
        long before = pipeline.backend().memory().live();
        try (PictureStream stream = PictureStream.open(pipeline, request, Progress.NONE)) {
            long live = 0;
            for (int i : new int[] {1, 2, 1}) {
                for (long seed : new long[] {3, 9}) {
                    drawn.add(stream.draw(frame(i), seed));
                    live = live == 0 ? pipeline.backend().memory().live() : live;
                    assertThat(pipeline.backend().memory().live()).isEqualTo(live);
                    assertThat(drawn.getLast().rgb()).isEqualTo(alone.computeIfAbsent(List.of(i, seed),
                            _ -> pipeline.generate(request.toBuilder().seed(seed).init(frame(i), request.strength())
                                    .build(), Progress.NONE).getFirst()).rgb());
                }
            }
            assertThat(stream.draw(frame(2)).rgb()).isEqualTo(drawn.get(2).rgb());
        }
        assertThat(pipeline.backend().memory().live()).isEqualTo(before);
        assertThat(drawn.get(4).rgb()).isEqualTo(drawn.get(0).rgb()).isNotEqualTo(drawn.get(2).rgb())
                .isNotEqualTo(drawn.get(1).rgb());
    }

    /** Four resolutions; a decoder, and an encoder beside it. */
    private TaesdFile taesd(int channels, boolean encoder) {
        Random random = new Random(1);
        Map<String, Tensor> tensors = new TreeMap<>();
        conv(tensors, random, "decoder.layers.0", 8, channels, true);
        int layer = 2;
        for (int level = 0; level < 4; level++) {
            block(tensors, random, "decoder.layers." + layer++);
            layer += level == 3 ? 0 : 1;
            conv(tensors, random, "decoder.layers." + layer++, level == 3 ? 3 : 8, 8, level == 3);
        }
        if (encoder) {
            conv(tensors, random, "encoder.layers.0", 8, 3, true);
            block(tensors, random, "encoder.layers.1");
            for (int level = 1; level < 4; level++) {
                conv(tensors, random, "encoder.layers." + 2 * level, 8, 8, false);
                block(tensors, random, "encoder.layers." + (2 * level + 1));
            }
            conv(tensors, random, "encoder.layers.8", channels, 8, true);
        }
        Path file = folder.resolve("taesd" + channels + encoder + ".safetensors");
        SafetensorsWriter.write(file, tensors, Map.of());
        return TaesdFile.of(file);
    }

    private static void block(Map<String, Tensor> to, Random random, String name) {
        for (int i = 0; i < 5; i += 2) {
            conv(to, random, name + ".conv." + i, 8, 8, true);
        }
    }

    private static void conv(Map<String, Tensor> to, Random random, String name, int out, int in, boolean bias) {
        to.put(name + ".weight", random(random, out, in, 3, 3));
        if (bias) {
            to.put(name + ".bias", random(random, out));
        }
    }

    private static Tensor random(Random random, int... dims) {
        float[] values = new float[Math.toIntExact(Shape.of(dims).size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian() / 6;
        }
        return Tensor.of(values, dims);
    }

    private Path turbo() {
        Path words = TestData.defaultModel();
        int vocabulary = Tokenizer.load(words.resolve("tokenizer")).size();
        Path made = folder.resolve("turbo");
        try (SyntheticSource source = new SyntheticSource(Families.synthetic("sdxl-turbo")
                .tiny(new Vocabularies(vocabulary, vocabulary, 0)), 1, DType.F32, words)) {
            new Exporter(source, new ExportOptions(EnumSet.allOf(Component.class), null, null,
                    ExportOptions.DIFFUSERS_SHARD), ExportProgress.NONE).writeDiffusers(made);
        }
        return made;
    }

    @Test
    void ofTheDefaultModel() {
        try (Backend backend = new CpuBackend(2, Precision.F32)) {
            Pipeline pipeline = Pipeline.open(TestData.defaultModel(), backend);
            check(pipeline, request -> request.t5Length(20));
            check(pipeline, request -> request.t5(false).sampler(Sampler.Kind.DPMPP_2M).steps(4)
                    .negativePrompt("blue"));
            check(pipeline, request -> request.t5(false).sampler(Sampler.Kind.EULER_ANCESTRAL).steps(4).guidance(1));
            Picture mask = frame(5);
            check(pipeline, request -> request.t5(false).mask(mask));
            softMask(pipeline);
            check(pipeline.withTaesd(taesd(16, true)), request -> request.t5(false).guidance(1));
            check(pipeline.withTaesd(taesd(16, true), true, true), request -> request.t5(false).guidance(1));
            check(pipeline.withTaesd(taesd(16, true), true, false), request -> request.t5(false).guidance(1));
            check(pipeline.withPolicy(MemoryPolicy.DEFAULT.withTiling(MemoryPolicy.Tiling.ON, 4)),
                    request -> request.t5(false).guidance(1));
        }
    }

    /** Each picture is pasted into itself, whatever it was opened with. */
    private static void softMask(Pipeline pipeline) {
        InpaintSettings soft = new InpaintSettings(2, false, false, 0, MaskFill.ORIGINAL, false, null);
        GenerationRequest plain = pipeline.request("a red circle").toBuilder().size(WIDTH, HEIGHT).steps(2).seed(3)
                .t5(false).build();
        GenerationRequest blank = soft.addTo(plain, frame(0), frame(5), false, 0.5);
        try (PictureStream stream = PictureStream.open(pipeline, blank, Progress.NONE)) {
            for (int i : new int[] {1, 2}) {
                assertThat(stream.draw(frame(i)).rgb()).isEqualTo(pipeline.generate(soft.addTo(plain, frame(i),
                        frame(5), false, 0.5), Progress.NONE).getFirst().rgb());
            }
        }
        InpaintSettings part = new InpaintSettings(2, false, true, 0, MaskFill.ORIGINAL, false, null);
        assertThatThrownBy(() -> PictureStream.open(pipeline, part.addTo(plain, frame(0).resized(96, 96),
                frame(5).cut(new Box(0, 0, 16, 16)).framed(40, 40, 96, 96), false, 0.5), Progress.NONE))
                .isInstanceOf(InputException.class).hasMessageContaining("a stream redraws whole pictures");
    }

    @Test
    void ofTurbo() {
        try (Backend backend = new CpuBackend(2, Precision.F32)) {
            Pipeline pipeline = Pipeline.open(turbo(), backend);
            check(pipeline, request -> request);
            check(pipeline, request -> request.guidance(3).init(frame(0), 1));
            check(pipeline.withTaesd(taesd(4, true)), request -> request);
            check(pipeline.withTaesd(taesd(4, true), true, true), request -> request);
        }
    }

    @Test
    @OnEmulatedDevice
    void onTheEmulatedDevice() {
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, false)) {
            Pipeline pipeline = Pipeline.open(TestData.defaultModel(), cuda.backend());
            Picture one = frame(1).resized(32, 16);
            GenerationRequest request = pipeline.request("a").toBuilder().size(32, 16).steps(2).t5(false)
                    .guidance(1).init(one, 0.5).build();
            long before = cuda.allocatedBytes();
            try (PictureStream stream = PictureStream.open(pipeline, request, Progress.NONE)) {
                Picture first = stream.draw(one);
                long held = cuda.allocatedBytes();
                assertThat(stream.draw(frame(2).resized(32, 16)).rgb()).isNotEqualTo(first.rgb());
                assertThat(cuda.allocatedBytes()).isEqualTo(held);
                assertThat(stream.draw(one).rgb()).isEqualTo(first.rgb())
                        .isEqualTo(pipeline.generate(request, Progress.NONE).getFirst().rgb());
            }
            assertThat(cuda.allocatedBytes()).isEqualTo(before);
        }
    }

    @Test
    void badInput() {
        try (Backend backend = new CpuBackend(2, Precision.F32)) {
            Pipeline pipeline = Pipeline.open(TestData.defaultModel(), backend);
            GenerationRequest request = pipeline.request("a").toBuilder().size(32, 32).steps(2).t5(false).build();
            try (PictureStream stream = PictureStream.open(pipeline, request, Progress.NONE)) {
                assertThat(stream.evaluations()).isEqualTo(2);
                assertThat(stream.bytes()).isPositive();
                assertThatThrownBy(() -> stream.draw(frame(1))).isInstanceOf(InputException.class)
                        .hasMessage("the picture is 48x32, the stream 32x32; resize it");
            }
            GenerationRequest odd = request.toBuilder().size(40, 32).build();
            assertThatThrownBy(() -> PictureStream.open(pipeline, odd, Progress.NONE))
                    .isInstanceOf(InputException.class).hasMessageContaining("a width of 40");
            TaesdFile decoder = taesd(16, false);
            assertThatThrownBy(() -> pipeline.withTaesd(decoder, true, true)).isInstanceOf(InputException.class)
                    .hasMessageContaining("has no encoder");
        }
    }
}
