package jdiffusion.model.pixart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.family.TextOptions;
import jdiffusion.model.image.Picture;
import jdiffusion.model.pipeline.PictureStream;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.pipeline.Previews;
import jdiffusion.model.vae.TaesdFile;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/** Pictures of the reference's small model: from noise, from pictures, within masks, at any size. */
class PixartPictureTest {
    private static final CpuBackend BACKEND = new CpuBackend(2, Precision.F32);
    private static final int WIDTH = 80;
    private static final int HEIGHT = 48;

    @AfterAll
    static void close() {
        BACKEND.close();
    }

    private static Pipeline open() {
        return Pipeline.open(Families.open(TestData.reference().resolve("pixart/model"), ModelSources.NONE), BACKEND);
    }

    private static GenerationRequest request(Pipeline pipeline, UnaryOperator<GenerationRequest.Builder> change) {
        return change.apply(pipeline.request("a red circle").toBuilder().size(WIDTH, HEIGHT).steps(4).t5Length(20)
                .seed(3).resolutionBinning(false)).build();
    }

    private static Picture draw(Pipeline pipeline, UnaryOperator<GenerationRequest.Builder> change) {
        return pipeline.generate(request(pipeline, change), Progress.NONE).getFirst();
    }

    private static Picture gradient(int width, int height) {
        byte[] rgb = new byte[3 * width * height];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) (255 * (i / 3 % width) / width);
        }
        return new Picture(width, height, rgb);
    }

    /** White on the right. */
    private static Picture mask(int width, int height) {
        byte[] rgb = new byte[3 * width * height];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) (i / 3 % width < width / 2 ? 0 : 255);
        }
        return new Picture(width, height, rgb);
    }

    /** Which share of the columns of latents, from the left on, is the same. */
    private static double same(float[] a, float[] b, int columns) {
        int first = columns;
        for (int i = 0; i < a.length; i++) {
            first = a[i] == b[i] ? first : Math.min(first, i % columns);
        }
        return (double) first / columns;
    }

    private static float[] latents(Pipeline pipeline, GenerationRequest request) {
        return pipeline.denoise(request, pipeline.encode(request, Progress.NONE), Progress.NONE);
    }

    @Test
    void theDefaultsAreThoseOfThePublishedModel() {
        try (Pipeline pipeline = open()) {
            GenerationRequest defaults = pipeline.request("");
            assertThat(defaults.steps()).isEqualTo(20);
            assertThat(defaults.guidance()).isEqualTo(4.5f);
            assertThat(defaults.t5Length()).isEqualTo(300);
            assertThat(defaults.width()).isEqualTo(256);
            assertThat(defaults.resolutionBinning()).isTrue();
            assertThat(defaults.text().cleanCaption()).isTrue();
        }
    }

    /** An empty negative prompt is the default one. */
    @Test
    void noNegativePromptIsAnEmptyOne() {
        try (Pipeline pipeline = open()) {
            Picture none = draw(pipeline, r -> r);
            assertThat(draw(pipeline, r -> r.negativePrompt("")).rgb()).isEqualTo(none.rgb());
            assertThat(draw(pipeline, r -> r.negativePrompt("blue")).rgb()).isNotEqualTo(none.rgb());
        }
    }

    @Test
    void cleaningIsWhatTheOptionSays() {
        try (Pipeline pipeline = open()) {
            Picture clean = draw(pipeline, r -> r.prompt("a (red) circle"));
            assertThat(draw(pipeline, r -> r.prompt("A red CIRCLE ")).rgb()).isEqualTo(clean.rgb());
            assertThat(draw(pipeline, r -> r.prompt("a (red) circle").text(TextOptions.DEFAULT.withCleanCaption(false)))
                    .rgb()).isNotEqualTo(clean.rgb());
        }
    }

    @Test
    void picturesAreTheSameInAnyBatch() {
        try (Pipeline pipeline = open()) {
            List<Picture> three = pipeline.generate(request(pipeline, r -> r.images(3)), Progress.NONE);
            for (int i = 0; i < three.size(); i++) {
                int seed = 3 + i;
                assertThat(draw(pipeline, r -> r.seed(seed)).rgb()).isEqualTo(three.get(i).rgb());
            }
        }
    }

    /** The less of the way is left, the nearer to the picture; a mask keeps its black. */
    @Test
    void fromAPictureAndWithinAMask() {
        try (Pipeline pipeline = open()) {
            Picture init = gradient(WIDTH, HEIGHT);
            assertThat(pipeline.firstEvaluation(request(pipeline, r -> r.init(init, 0.5)))).isEqualTo(2);
            Picture most = draw(pipeline, r -> r.init(init, 1));
            Picture some = draw(pipeline, r -> r.init(init, 0.25));
            assertThat(some.rgb()).isNotEqualTo(most.rgb());
            float[] kept = latents(pipeline, request(pipeline, r -> r.init(init, 1).mask(new Picture(WIDTH, HEIGHT,
                    new byte[3 * WIDTH * HEIGHT]))));
            float[] half = latents(pipeline, request(pipeline, r -> r.init(init, 1).mask(mask(WIDTH, HEIGHT))));
            assertThat(same(kept, half, WIDTH / 8)).isEqualTo(0.5);
        }
    }

    /** Any size can be asked for; what is drawn is a size of the table, and comes out at the asked one. */
    @Test
    void anySizeThroughATable() {
        try (Pipeline pipeline = open()) {
            GenerationRequest odd = request(pipeline, r -> r.size(131, 77).resolutionBinning(true).steps(2));
            GenerationRequest drawn = pipeline.drawn(odd);
            assertThat(drawn.width()).isEqualTo(320);
            assertThat(drawn.height()).isEqualTo(192);
            assertThat(pipeline.drawn(drawn)).isSameAs(drawn);
            Picture picture = pipeline.generate(odd, Progress.NONE).getFirst();
            assertThat(picture.width()).isEqualTo(131);
            assertThat(picture.height()).isEqualTo(77);
            assertThatThrownBy(() -> pipeline.check(odd.toBuilder().resolutionBinning(false).build()))
                    .isInstanceOf(InputException.class).hasMessageContaining("131 is not a multiple of 16");
            assertThatThrownBy(() -> pipeline.check(odd.toBuilder().size(0, 77).build()))
                    .isInstanceOf(InputException.class);
        }
    }

    /** What a mask keeps of a picture stays where it is, through the size that is drawn and back. */
    @Test
    void aMaskThroughATable() {
        try (Pipeline pipeline = open()) {
            Picture init = gradient(100, 70);
            UnaryOperator<GenerationRequest.Builder> binned = r -> r.size(100, 70).resolutionBinning(true).steps(2)
                    .init(init, 1);
            float[] kept = latents(pipeline, request(pipeline, r -> binned.apply(r).mask(new Picture(100, 70,
                    new byte[3 * 100 * 70]))));
            float[] half = latents(pipeline, request(pipeline, r -> binned.apply(r).mask(mask(100, 70))));
            assertThat(same(kept, half, 304 / 8)).isEqualTo(0.5);
        }
    }

    /** A stream's picture is the one that a request of its own gives, at a size of the table too. */
    @Test
    void aStreamThroughATable() {
        try (Pipeline pipeline = open()) {
            Picture frame = gradient(50, 30);
            GenerationRequest request = request(pipeline, r -> r.size(50, 30).resolutionBinning(true).steps(2)
                    .init(frame, 0.5));
            try (PictureStream stream = PictureStream.open(pipeline, request, Progress.NONE)) {
                assertThat(stream.draw(frame).rgb()).isEqualTo(pipeline.generate(request, Progress.NONE).getFirst()
                        .rgb());
            }
        }
    }

    @Test
    void taesdAndPreviews() {
        Path taesd = TestData.reference().resolve("taesd/taesd4");
        try (Pipeline pipeline = open(); Pipeline small = pipeline.withTaesd(TaesdFile.of(taesd))) {
            Picture picture = draw(small, r -> r.size(90, 50).resolutionBinning(true).steps(1));
            assertThat(picture.width()).isEqualTo(90);
            float[] latents = new float[4 * 6 * 10];
            Arrays.fill(latents, 0.5f);
            assertThat(Previews.of(pipeline).picture(latents, 6, 10).width()).isEqualTo(10);
            assertThat(Previews.of(pipeline, TaesdFile.of(taesd)).picture(latents, 6, 10).width()).isEqualTo(80);
        }
    }

    @Test
    void whatItCannotDo() {
        try (Pipeline pipeline = open()) {
            assertThatThrownBy(() -> draw(pipeline, r -> r.t5(false))).hasMessageContaining("reads the prompt with T5");
            assertThatThrownBy(() -> draw(pipeline, r -> r.t5Length(513))).hasMessageContaining("use 1 to 512");
            assertThatThrownBy(() -> draw(pipeline, r -> r.text(new TextOptions("dog", null, 0))))
                    .hasMessageContaining("one prompt with T5");
            assertThatThrownBy(() -> draw(pipeline, r -> r.shift(3))).hasMessageContaining("no flow");
        }
        try (Pipeline without = Pipeline.open(Families.open(TestData.reference().resolve("pixart/model"),
                new ModelSources(Map.of(), Set.of(Component.T5), null, null)), BACKEND)) {
            assertThatThrownBy(() -> draw(without, r -> r.t5(true))).isInstanceOf(InputException.class)
                    .hasMessageContaining("cannot do without it");
        }
    }
}
