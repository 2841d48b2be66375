package jdiffusion.langchain4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.langchain4j.data.image.Image;
import dev.langchain4j.model.image.ImageModel;
import dev.langchain4j.model.output.Response;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ExecutionException;
import java.util.function.UnaryOperator;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.image.Png;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class JDiffusionImageModelTest {
    private static final Path SHAPES = Path.of("../models/shapes");
    private static Backend backend;
    private static JDiffusionImageModel model;

    @BeforeAll
    static void open() {
        backend = new CpuBackend(2, Precision.F32, null);
        model = quick().build();
    }

    private static JDiffusionImageModel.Builder quick() {
        return JDiffusionImageModel.builder(SHAPES, backend).size(32, 32).steps(2).seed(7);
    }

    @AfterAll
    static void close() {
        model.close();
        backend.close();
    }

    /** The pixels that the library draws. */
    private static Picture plain(String prompt, UnaryOperator<GenerationRequest.Builder> change) {
        try (Pipeline pipeline = Pipeline.open(SHAPES, backend)) {
            return pipeline.generate(change.apply(pipeline.request(prompt).toBuilder().size(32, 32).steps(2).seed(7))
                    .build(), Progress.NONE).getFirst();
        }
    }

    private static byte[] pixels(Image image) {
        assertThat(image.mimeType()).isEqualTo("image/png");
        return PictureFile.read(Base64.getDecoder().decode(image.base64Data()), "png").rgb();
    }

    private static Image image(Picture picture) {
        return Image.builder().base64Data(Base64.getEncoder().encodeToString(Png.encode(picture, Map.of()))).build();
    }

    @Test
    void drawsWhatTheLibraryDraws() {
        ImageModel any = model;
        Response<Image> drawn = any.generate("a red circle");
        assertThat(pixels(drawn.content())).isEqualTo(plain("a red circle", builder -> builder).rgb());
        assertThat(drawn.metadata()).containsEntry(JDiffusionImageModel.SEED, "7");
        Response<List<Image>> several = any.generate("a red circle", 2);
        assertThat(several.content()).hasSize(2);
        assertThat(pixels(several.content().get(1))).isEqualTo(plain("a red circle", builder -> builder.seed(8))
                .rgb());
    }

    @Test
    void settingsOfTheModelCount() {
        try (JDiffusionImageModel other = JDiffusionImageModel.builder(SHAPES, backend).size(48, 32).steps(3).seed(9)
                .guidance(3).negativePrompt("blue").sampler(Sampler.Kind.HEUN).build()) {
            assertThat(pixels(other.generate("a star").content())).isEqualTo(plain("a star", builder -> builder
                    .size(48, 32).steps(3).seed(9).guidance(3).negativePrompt("blue").sampler(Sampler.Kind.HEUN))
                    .rgb());
        }
    }

    @Test
    void editsPictures() {
        Picture init = plain("a red circle", builder -> builder);
        byte[] white = new byte[3 * 32 * 32];
        Arrays.fill(white, 0, white.length / 2, (byte) 255);
        Picture mask = new Picture(32, 32, white);
        assertThat(pixels(model.edit(image(init), image(mask), "a blue star").content()))
                .isEqualTo(plain("a blue star", builder -> builder.init(init, 1).mask(mask)).rgb());
        try (JDiffusionImageModel half = quick().strength(0.5).build()) {
            byte[] expected = plain("a blue star", builder -> builder.init(init, 0.5)).rgb();
            assertThat(pixels(half.edit(image(init), "a blue star").content())).isEqualTo(expected);
            Image address = Image.builder().url("data:image/png;base64," + image(init).base64Data()).build();
            assertThat(pixels(half.edit(address, "a blue star").content())).isEqualTo(expected);
        }
    }

    @Test
    void whatCannotBeDrawnIsSaid() {
        assertThatThrownBy(() -> model.edit(Image.builder().url("file:///etc/hostname").build(), "a"))
                .isInstanceOf(InputException.class).hasMessageContaining("no address is opened");
        assertThatThrownBy(() -> model.edit(Image.builder().base64Data("%").build(), "a"))
                .isInstanceOf(InputException.class).hasMessageContaining("base64");
        assertThatThrownBy(() -> model.generate("a <lora:none:1>")).isInstanceOf(InputException.class);
        assertThatThrownBy(() -> model.generate("a", 0)).isInstanceOf(InputException.class);
        JDiffusionImageModel closed = quick().build();
        closed.close();
        assertThatThrownBy(() -> closed.generate("a")).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void anInterruptedThreadEndsItsRequest() throws Exception {
        try (JDiffusionImageModel slow = JDiffusionImageModel.builder(SHAPES, backend).size(128, 128).steps(1000)
                .build()) {
            FutureTask<Response<Image>> task = new FutureTask<>(() -> slow.generate("a"));
            Thread thread = Thread.ofPlatform().start(task);
            thread.interrupt();
            thread.join();
            assertThatThrownBy(task::get).isInstanceOf(ExecutionException.class)
                    .hasCauseInstanceOf(CancellationException.class);
        }
        assertThat(pixels(model.generate("a red circle").content())).isEqualTo(plain("a red circle",
                builder -> builder).rgb());
    }
}
