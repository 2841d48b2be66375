package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Hires;
import jdiffusion.model.family.PixelSize;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.NaiveImages;
import jdiffusion.model.image.Picture;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.stage.Offload;
import jdiffusion.tensor.InputException;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The pass at a larger size against image to image by hand. */
class SecondPassTest {
    private static final CpuBackend BACKEND = new CpuBackend(2, Precision.F32);

    @TempDir
    private Path folder;

    @AfterAll
    static void close() {
        BACKEND.close();
    }

    private static GenerationRequest.Builder small(Pipeline pipeline) {
        return TinyModels.request(pipeline).size(32, 48).steps(3).seed(5).resolutionBinning(false);
    }

    private static Hires hires(int width, int height, Hires.Upscaler upscaler) {
        return new Hires(width, height, 0.6, 0, upscaler);
    }

    /** Draw, enlarge, draw over with the same seed: the same bytes, for each picture of a batch. */
    @ParameterizedTest
    @CsvSource({"shapes, 48, 80", "shapes, 64, 48", "sdxl, 48, 72", "flux-dev, 48, 80", "pixart-sigma, 48, 80",
        "auraflow, 48, 80"})
    void byLanczosItIsImageToImage(String kind, int width, int height) {
        Pipeline pipeline = open(kind);
        GenerationRequest both = small(pipeline).images(2).hires(hires(width, height, Hires.Upscaler.LANCZOS)).build();
        List<Picture> drawn = pipeline.generate(both, Progress.NONE);
        assertThat(drawn).hasSize(2);
        for (int i = 0; i < 2; i++) {
            Picture first = pipeline.generate(small(pipeline).seed(5 + i).build(), Progress.NONE).getFirst();
            // Cut to the shape of the larger one, around the middle.
            int wide = Math.min(32, (int) Math.round(48.0 * width / height));
            int high = Math.min(48, (int) Math.round(32.0 * height / width));
            Picture part = NaiveImages.part(first, (32 - wide) / 2, (48 - high) / 2, wide, high);
            Picture large = NaiveImages.lanczos(part, width, height);
            Picture expected = pipeline.generate(small(pipeline).size(width, height).seed(5 + i).init(large, 0.6)
                    .build(), Progress.NONE).getFirst();
            assertThat(drawn.get(i).rgb()).isEqualTo(expected.rgb());
        }
        assertThat(drawn.get(0).rgb()).isNotEqualTo(drawn.get(1).rgb());
    }

    private Pipeline open(String kind) {
        return Pipeline.open(kind.equals("shapes") ? TestData.defaultModel() : TinyModels.write(kind, folder), BACKEND);
    }

    /** Latents between their neighbours, mixed with the seed's noise, and drawn over. */
    @ParameterizedTest
    @ValueSource(strings = {"shapes", "sdxl"})
    void latentsAreEnlargedBilinearly(String kind) {
        Pipeline pipeline = open(kind);
        GenerationRequest first = small(pipeline).build();
        GenerationRequest both = small(pipeline).hires(new Hires(48, 72 / 16 * 16 + 8 * (kind.equals("sdxl") ? 1 : 0),
                0.6, 4, Hires.Upscaler.LATENT)).build();
        int rows = both.hires().height() / 8;
        int channels = pipeline.latents().channels();
        float[] latents = pipeline.denoise(first, pipeline.encode(first, Progress.NONE), Progress.NONE);
        // Scaled until it covers 6 x rows, and cut around the middle.
        double ratio = Math.max(6 / 4.0, rows / 6.0);
        int coverWidth = Math.max(6, (int) (4 * ratio));
        int coverHeight = Math.max(rows, (int) (6 * ratio));
        float[] large = new float[channels * 6 * rows];
        for (int c = 0; c < channels; c++) {
            double[] cover = NaiveImages.bilinear(Arrays.copyOfRange(latents, c * 24, (c + 1) * 24), 4, 6, coverWidth,
                    coverHeight);
            for (int i = 0; i < 6 * rows; i++) {
                int y = i / 6 + (coverHeight - rows) / 2;
                int x = i % 6 + (coverWidth - 6) / 2;
                large[c * 6 * rows + i] = (float) cover[y * coverWidth + x];
            }
        }
        GenerationRequest second = small(pipeline).size(48, both.hires().height()).steps(4)
                .init(new Picture(48, both.hires().height(), new byte[3 * 48 * both.hires().height()]), 0.6).build();
        float[] expected = pipeline.denoiseStage().runFrom(List.of(new Noise.Moments(new Noise.Encoded(large, false), null,
                false)), second, pipeline.encode(second, Progress.NONE), Progress.NONE);
        float[] drawn = pipeline.denoise(both, pipeline.encode(both, Progress.NONE), Progress.NONE);
        assertThat(drawn).containsExactly(expected, Offset.offset(1e-3f));
        assertThat(pipeline.decode(both, drawn, Progress.NONE).getFirst().height()).isEqualTo(both.hires().height());
    }

    /** What does not fit in memory at once is drawn in parts, with the same bytes; the plan knows the larger pass. */
    @ParameterizedTest
    @ValueSource(strings = {"LATENT", "LANCZOS"})
    void offloadAndPlan(Hires.Upscaler upscaler) {
        Pipeline pipeline = open("shapes");
        GenerationRequest both = small(pipeline).hires(hires(96, 144, upscaler)).build();
        GenerationRequest one = small(pipeline).size(96, 144).init(new Picture(96, 144, new byte[3 * 96 * 144]), 0.6)
                .build();
        assertThat(pipeline.plan(both).peak()).isEqualTo(pipeline.plan(one).peak())
                .isGreaterThan(pipeline.plan(both.firstPass()).peak());
        assertThat(pipeline.plan(both, false).peak()).isEqualTo(pipeline.plan(one, false).peak());
        List<String> seen = new ArrayList<>();
        Picture expected = pipeline.generate(both, new Progress() {
            @Override
            public void latents(int height, int width) {
                seen.add(width + "x" + height);
            }

            @Override
            public void started(Stage stage, int units) {
                seen.add(stage + " " + units);
            }

            @Override
            public void step(int done, Supplier<float[]> latents) {
                seen.add(done + ": " + latents.get().length);
            }
        }).getFirst();
        assertThat(seen).containsExactlyElementsOf(upscaler == Hires.Upscaler.LATENT
                ? List.of("ENCODE_TEXT 0", "4x6", "DENOISE 3", "1: 384", "2: 384", "3: 384", "12x18", "DENOISE 2",
                        "1: 3456", "2: 3456", "DECODE 0")
                : List.of("ENCODE_TEXT 0", "4x6", "DENOISE 3", "1: 384", "2: 384", "3: 384", "DECODE 0",
                        "ENCODE_IMAGE 0", "12x18", "DENOISE 2", "1: 3456", "2: 3456", "DECODE 0"));
        for (Offload offload : Offload.values()) {
            try (Pipeline other = pipeline.withPolicy(MemoryPolicy.of(offload))) {
                assertThat(other.generate(both, Progress.NONE).getFirst().rgb()).isEqualTo(expected.rgb());
            }
        }
    }

    @Test
    void badPasses() {
        Pipeline pipeline = open("shapes");
        assertRefused("the strength of the second pass is 0.0", () -> new Hires(64, 64, 0, 0, Hires.Upscaler.LATENT));
        assertRefused("-1 steps", () -> new Hires(64, 64, 0.5, -1, Hires.Upscaler.LATENT));
        assertRefused("0.5 times as large; use 1 to 8", () -> Hires.times(0.5, 64, 64));
        assertRefused("no upscaler 'x'; use latent or lanczos", () -> Hires.Upscaler.of("x"));
        assertRefused("smaller than the first with 32x48", () -> small(pipeline).hires(hires(32, 32,
                Hires.Upscaler.LATENT)).build());
        assertRefused("for pictures that are drawn from a prompt alone", () -> small(pipeline).hires(hires(64, 64,
                Hires.Upscaler.LATENT)).init(new Picture(32, 48, new byte[3 * 32 * 48]), 0.5).build());
        assertRefused("the second pass is to be 72x72: a width of 72 is not a multiple of 16; 64 or 80 would work",
                () -> pipeline.check(small(pipeline).hires(hires(72, 72, Hires.Upscaler.LATENT)).build()));
        assertRefused("the second pass is to be 4096x4096: a width of 4096 is beyond this model's table",
                () -> pipeline.check(small(pipeline).hires(hires(4096, 4096, Hires.Upscaler.LATENT)).build()));
        assertThat(Hires.times(1.15, 640, 416)).isEqualTo(new PixelSize(736, 478));
    }

    private static void assertRefused(String message, ThrowingCallable call) {
        assertThatThrownBy(call).isInstanceOf(InputException.class).hasMessageContaining(message);
    }
}
