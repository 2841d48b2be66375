package jdiffusion.springai;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
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
import jdiffusion.model.settings.Infotext;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.springframework.ai.content.Media;
import org.springframework.ai.image.ImageGeneration;
import org.springframework.ai.image.ImageMessage;
import org.springframework.ai.image.ImageModel;
import org.springframework.ai.image.ImageOptions;
import org.springframework.ai.image.ImageOptionsBuilder;
import org.springframework.ai.image.ImagePrompt;

class JDiffusionImageModelTest {
    private static final Path SHAPES = Path.of("../models/shapes");
    private static final JDiffusionImageOptions QUICK = JDiffusionImageOptions.builder().size(32, 32).steps(2).seed(7)
            .build();
    private static Backend backend;
    private static JDiffusionImageModel model;

    @BeforeAll
    static void open() {
        backend = new CpuBackend(2, Precision.F32, null);
        model = JDiffusionImageModel.open(SHAPES, backend, QUICK);
    }

    @AfterAll
    static void close() {
        model.close();
        backend.close();
    }

    /** The pixels that the library draws. */
    private static byte[] plain(String prompt, UnaryOperator<GenerationRequest.Builder> change) {
        try (Pipeline pipeline = Pipeline.open(SHAPES, backend)) {
            return pipeline.generate(change.apply(pipeline.request(prompt).toBuilder().size(32, 32).steps(2).seed(7))
                    .build(), Progress.NONE).getFirst().rgb();
        }
    }

    private static byte[] file(ImageGeneration generation) {
        return Base64.getDecoder().decode(generation.getOutput().getB64Json());
    }

    private static byte[] pixels(ImageGeneration generation) {
        return PictureFile.read(file(generation), "png").rgb();
    }

    private static byte[] first(ImageModel any, ImagePrompt prompt) {
        return pixels(any.call(prompt).getResult());
    }

    @Test
    void drawsWhatTheLibraryDraws() {
        ImageGeneration drawn = model.call(new ImagePrompt("a red circle")).getResult();
        assertThat(pixels(drawn)).isEqualTo(plain("a red circle", builder -> builder));
        DrawnMetadata metadata = (DrawnMetadata) drawn.getMetadata();
        assertThat(metadata.seed()).isEqualTo(7);
        assertThat(metadata.settings()).contains("a red circle", "Seed: 7", "Steps: 2");
        assertThat(Png.texts(file(drawn), "png")).containsEntry(Infotext.KEYWORD, metadata.settings());
    }

    @Test
    void optionsOfAPromptComeFirst() {
        JDiffusionImageOptions options = JDiffusionImageOptions.builder().n(2).size(48, 32).steps(3).seed(9)
                .guidance(3).negativePrompt("blue").fields(fields -> fields.clipSkip = 2).build();
        List<ImageGeneration> drawn = model.call(new ImagePrompt("a star", options)).getResults();
        assertThat(drawn).hasSize(2);
        for (int i = 0; i < 2; i++) {
            int seed = 9 + i;
            assertThat(pixels(drawn.get(i))).isEqualTo(plain("a star", builder -> builder.size(48, 32).steps(3)
                    .seed(seed).guidance(3).negativePrompt("blue")));
        }
        ImageOptions plain = ImageOptionsBuilder.builder().width(48).height(48).n(1).responseFormat("url").build();
        String url = model.call(new ImagePrompt("a star", plain)).getResult().getOutput().getUrl();
        assertThat(url).startsWith("data:image/png;base64,");
        assertThat(PictureFile.read(Base64.getDecoder().decode(url.substring(url.indexOf(',') + 1)), "url").rgb())
                .isEqualTo(plain("a star", builder -> builder.size(48, 48)));
    }

    @Test
    void messagesHaveWeightsAndPictures() {
        List<ImageMessage> both = List.of(new ImageMessage("a star"), new ImageMessage("yellow", 1f),
                new ImageMessage("blue", -1f));
        assertThat(first(model, new ImagePrompt(both, QUICK))).isEqualTo(plain("a star, yellow",
                builder -> builder.negativePrompt("blue")));
        byte[] white = new byte[3 * 32 * 32];
        Arrays.fill(white, 0, white.length / 2, (byte) 255);
        Picture mask = new Picture(32, 32, white);
        Picture init = new Picture(32, 32, plain("a red circle", builder -> builder));
        Media picture = Media.builder().mimeType(Media.Format.IMAGE_PNG).data(Png.encode(init, Map.of())).build();
        Media where = Media.builder().mimeType(Media.Format.IMAGE_PNG).data(Png.encode(mask, Map.of())).build();
        ImageMessage edit = new ImageMessage("a blue star", 1f, List.of(picture), Map.of());
        assertThat(first(model, new ImagePrompt(edit, JDiffusionImageOptions.builder().strength(0.5).build())))
                .isEqualTo(plain("a blue star", builder -> builder.init(init, 0.5)));
        ImageMessage masked = new ImageMessage("a blue star", 1f, List.of(picture, where), Map.of());
        assertThat(first(model, new ImagePrompt(masked, QUICK)))
                .isEqualTo(plain("a blue star", builder -> builder.init(init, 1).mask(mask)));
        Media far = Media.builder().mimeType(Media.Format.IMAGE_PNG).data(URI.create("file:///etc/hostname")).build();
        assertThatThrownBy(() -> model.call(new ImagePrompt(new ImageMessage("a", 1f, List.of(far), Map.of()), QUICK)))
                .isInstanceOf(InputException.class).hasMessageContaining("not opened");
    }

    @Test
    void manyThreadsGetTheSame() throws Exception {
        byte[] expected = plain("a red circle", builder -> builder);
        List<Future<byte[]>> all = new ArrayList<>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < 8; i++) {
                all.add(threads.submit(() -> first(model, new ImagePrompt("a red circle"))));
            }
        }
        for (Future<byte[]> one : all) {
            assertThat(one.get()).isEqualTo(expected);
        }
    }

    @Test
    void whatCannotBeDrawnIsSaid() {
        assertThatThrownBy(() -> model.call(new ImagePrompt("a", ImageOptionsBuilder.builder().width(100).height(32)
                .build()))).isInstanceOf(InputException.class).hasMessageContaining("96x32 and 112x32");
        assertThatThrownBy(() -> model.call(new ImagePrompt("a", ImageOptionsBuilder.builder().model("dall-e-3")
                .build()))).isInstanceOf(InputException.class).hasMessageContaining("shapes");
        assertThatThrownBy(() -> model.call(new ImagePrompt("a", ImageOptionsBuilder.builder().responseFormat("gif")
                .build()))).isInstanceOf(InputException.class).hasMessageContaining("b64_json");
        assertThatThrownBy(() -> model.call(new ImagePrompt(new ImageMessage("a", 0.5f), QUICK)))
                .isInstanceOf(InputException.class).hasMessageContaining("0.5");
        JDiffusionImageModel closed = JDiffusionImageModel.open(SHAPES, backend);
        closed.close();
        assertThatThrownBy(() -> closed.call(new ImagePrompt("a"))).isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("closed");
    }
}
