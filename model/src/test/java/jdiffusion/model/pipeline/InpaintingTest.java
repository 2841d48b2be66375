package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Inpainting;
import jdiffusion.model.family.MaskFill;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Border;
import jdiffusion.model.image.NaiveImages;
import jdiffusion.model.image.Picture;
import jdiffusion.model.request.InpaintSettings;
import jdiffusion.model.sampling.TorchRandom;
import jdiffusion.model.stage.Stages;
import jdiffusion.tensor.InputException;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Soft masks, parts and borders against what one gets by hand: cut out, image to image, paste. */
class InpaintingTest {
    private static final CpuBackend BACKEND = new CpuBackend(2, Precision.F32);
    private static final int WIDTH = 48;
    private static final int HEIGHT = 32;

    @TempDir
    private Path folder;

    @AfterAll
    static void close() {
        BACKEND.close();
    }

    private static Pipeline shapes() {
        return Pipeline.open(TestData.defaultModel(), BACKEND);
    }

    private static GenerationRequest small(Pipeline pipeline) {
        return pipeline.request("a red circle").toBuilder().size(WIDTH, HEIGHT).steps(3).seed(5)
                .t5(false).build();
    }

    private static Picture photo(int width, int height) {
        byte[] rgb = new byte[3 * width * height];
        Random random = new Random(width);
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) (4 * (i / 3 % width) + 3 * (i / 3 / width) + random.nextInt(9) + 60 * (i % 3));
        }
        return new Picture(width, height, rgb);
    }

    /** A disc with edges of one pixel, as brightness. */
    private static int[] disc(int width, int height, double x, double y, double radius) {
        int[] values = new int[width * height];
        for (int i = 0; i < values.length; i++) {
            double distance = Math.hypot(i % width - x, i / width - y);
            values[i] = Math.clamp(Math.round(255 * (radius - distance)), 0, 255);
        }
        return values;
    }

    private static Picture mask(int[] values, int width, int height) {
        return NaiveImages.grey(values, width, height);
    }

    private static InpaintSettings blurred(int blur) {
        return new InpaintSettings(blur, false, false, 0, MaskFill.ORIGINAL, false, null);
    }

    private static Picture draw(Pipeline pipeline, GenerationRequest request) {
        return pipeline.generate(request, Progress.NONE).getFirst();
    }

    private static float[] denoise(Pipeline pipeline, GenerationRequest request, Progress progress) {
        return pipeline.denoise(request, pipeline.encode(request, progress), progress);
    }

    @Test
    void plainSettingsChangeNothing() {
        Pipeline pipeline = shapes();
        Picture init = photo(WIDTH, HEIGHT);
        Picture mask = mask(disc(WIDTH, HEIGHT, 20, 15, 9), WIDTH, HEIGHT);
        GenerationRequest request = InpaintSettings.PLAIN.addTo(small(pipeline), init, mask, false, 0.7);
        assertThat(request.init()).isSameAs(init);
        assertThat(request.mask()).isSameAs(mask);
        assertThat(request.inpainting()).isSameAs(Inpainting.HARD);
    }

    /** Euler's steps one by one from given latents, mixed by hand with the noised picture after each. */
    @ParameterizedTest
    @CsvSource({"2, 0.7", "4, 1"})
    void latentsAreMixedByTheSoftMaskAfterEachStep(int blur, double strength) {
        Pipeline pipeline = shapes();
        int[] disc = disc(WIDTH, HEIGHT, 20, 15, 9);
        Picture init = photo(WIDTH, HEIGHT);
        GenerationRequest request = blurred(blur).addTo(small(pipeline), init, mask(disc, WIDTH, HEIGHT), false,
                strength);
        int[] soft = NaiveImages.blurred(disc, WIDTH, HEIGHT, blur);
        assertThat(request.mask().luma()).isEqualTo(soft);
        float[] drawn = denoise(pipeline, request, Progress.NONE);
        float[] byHand = byHand(pipeline, request, soft);
        assertThat(drawn).containsExactly(byHand, Offset.offset(1e-5f));
        Picture pasted = pipeline.decode(request, drawn, Progress.NONE).getFirst();
        Picture whole = Picture.ofModel(pipeline.decodeValues(request, drawn, Progress.NONE), 0, WIDTH, HEIGHT);
        assertThat(pasted.rgb()).isEqualTo(NaiveImages.pasted(init, whole, 0, 0, soft).rgb())
                .isNotEqualTo(init.rgb()).isNotEqualTo(whole.rgb());
        assertKept(pasted, init, soft);
    }

    private static void assertKept(Picture drawn, Picture init, int[] mask) {
        int kept = 0;
        for (int i = 0; i < drawn.rgb().length; i++) {
            assertThat(mask[i / 3] != 0 || drawn.rgb()[i] == init.rgb()[i]).isTrue();
            kept += mask[i / 3] == 0 ? 1 : 0;
        }
        assertThat(kept).isPositive();
    }

    private static float[] byHand(Pipeline pipeline, GenerationRequest request, int[] soft) {
        List<Conditioning> prompts = pipeline.encode(request, Progress.NONE);
        Walk walk = pipeline.info().walk(request);
        DenoiseStage stage = pipeline.denoiseStage();
        int size = pipeline.latents().size(HEIGHT, WIDTH);
        ImageCoder coder = new ImageCoder(new Stages(pipeline.files(), BACKEND,
                pipeline.policy()), pipeline.latents(), pipeline.taesd());
        Noise noise = Noise.draw(new TorchRandom(request.seed()), 1, size, List.of(stage.moments(request, walk,
                picture -> coder.encode(request, picture, Progress.NONE))), pipeline.latents());
        int columns = WIDTH / 8;
        int plane = columns * HEIGHT / 8;
        double[] latentMask = new double[plane];
        for (int i = 0; i < soft.length; i++) {
            latentMask[i / WIDTH / 8 * columns + i % WIDTH / 8] += soft[i] / 255.0 / 64;
        }
        float[] x = new float[size];
        float first = walk.sigmas().sigma(walk.first());
        for (int i = 0; i < size; i++) {
            x[i] = first * noise.noise()[i] + (1 - first) * noise.init()[i];
        }
        GenerationRequest plain = request.toBuilder().mask(null).inpainting(Inpainting.HARD).build();
        for (int step = walk.first(); step < walk.end(); step++) {
            Walk one = new Walk(walk.sigmas(), step, step + 1, walk.prediction());
            x = stage.run(plain, prompts, one, new DenoiseStage.Unfinished(x, List.of(noise.random())), Progress.NONE)
                    .latents();
            double next = step + 1 < walk.end() ? walk.sigmas().sigma(step + 1) : 0;
            for (int i = 0; i < size; i++) {
                double share = latentMask[i % plane];
                double known = next * noise.noise()[i] + (1 - next) * noise.init()[i];
                x[i] = (float) (share * x[i] + (1 - share) * known);
            }
        }
        return x;
    }

    @Test
    void anInvertedMaskIsTheOtherPart() {
        Pipeline pipeline = shapes();
        Picture init = photo(WIDTH, HEIGHT);
        int[] disc = disc(WIDTH, HEIGHT, 20, 15, 9);
        int[] other = Arrays.stream(disc).map(value -> 255 - value).toArray();
        InpaintSettings inverted = new InpaintSettings(2, true, false, 0, MaskFill.ORIGINAL, false, null);
        GenerationRequest a = inverted.addTo(small(pipeline), init, mask(disc, WIDTH, HEIGHT), false, 0.7);
        GenerationRequest b = blurred(2).addTo(small(pipeline), init, mask(other, WIDTH, HEIGHT), false, 0.7);
        assertThat(draw(pipeline, a).rgb()).isEqualTo(draw(pipeline, b).rgb());
    }

    /** Box, part, picture and paste by plain loops; hard edges, so that the part is drawn by the plain pipeline. */
    @ParameterizedTest
    @CsvSource({"61, 47, 30, 20, 5, 3, 0", "61, 47, 3, 40, 4, 0, 0", "90, 33, 80, 16, 6, 7, 0", "61, 47, 30, 20, 5, 3, 2"})
    void onlyMaskedIsCutOutDrawnAndPasted(int width, int height, int x, int y, int radius, int padding, int blur) {
        Pipeline pipeline = shapes();
        Picture photo = photo(width, height);
        int[] disc = disc(width, height, x, y, radius);
        InpaintSettings settings = new InpaintSettings(blur, false, true, padding, MaskFill.ORIGINAL, false, null);
        GenerationRequest request = settings.addTo(small(pipeline), photo, mask(disc, width, height), false, 0.8);
        int[] edged = blur > 0 ? NaiveImages.blurred(disc, width, height, blur)
                : Arrays.stream(disc).map(value -> value >= 128 ? 255 : 0).toArray();
        int left = width;
        int right = 0;
        int top = height;
        int bottom = 0;
        for (int i = 0; i < edged.length; i++) {
            if (edged[i] > 0) {
                left = Math.min(left, i % width);
                right = Math.max(right, i % width + 1);
                top = Math.min(top, i / width);
                bottom = Math.max(bottom, i / width + 1);
            }
        }
        left = Math.max(0, left - padding);
        top = Math.max(0, top - padding);
        right = Math.min(width, right + padding);
        bottom = Math.min(height, bottom + padding);
        // To 3:2, the shape of what is drawn; the discs are about round, so wider.
        int wide = Math.min(width, (bottom - top) * 3 / 2);
        left = Math.clamp(left - (wide - (right - left)) / 2, 0, width - wide);
        Picture part = NaiveImages.part(photo, left, top, wide, bottom - top);
        Picture partMask = NaiveImages.part(mask(edged, width, height), left, top, wide, bottom - top);
        Picture large = NaiveImages.lanczos(part, WIDTH, HEIGHT);
        Picture largeMask = NaiveImages.lanczos(partMask, WIDTH, HEIGHT);
        assertThat(request.init().rgb()).isEqualTo(large.rgb());
        GenerationRequest plain = small(pipeline).toBuilder().init(large, 0.8).mask(largeMask)
                .inpainting(new Inpainting(blur > 0, MaskFill.ORIGINAL, null)).build();
        Picture back = NaiveImages.lanczos(draw(pipeline, plain), wide, bottom - top);
        Picture expected = NaiveImages.pasted(photo, back, left, top, edged);
        Picture drawn = draw(pipeline, request);
        assertThat(drawn.rgb()).isEqualTo(expected.rgb()).isNotEqualTo(photo.rgb());
        assertThat(drawn.width()).isEqualTo(width).isEqualTo(request.finalSize().width());
        assertKept(drawn, photo, edged);
    }

    /** What each fill makes of the latents that the way begins with. */
    @ParameterizedTest
    @EnumSource(MaskFill.class)
    void fills(MaskFill fill) {
        Pipeline pipeline = shapes();
        Picture init = photo(WIDTH, HEIGHT);
        int[] values = new int[WIDTH * HEIGHT];
        for (int i = 0; i < values.length; i++) {
            values[i] = i % WIDTH < 24 ? 255 : 0;
        }
        Picture mask = mask(values, WIDTH, HEIGHT);
        InpaintSettings settings = new InpaintSettings(0, false, false, 0, fill, true, null);
        GenerationRequest request = settings.addTo(small(pipeline), init, mask, false, 0.7);
        assertThat(Arrays.equals(request.init().rgb(), init.rgb())).isEqualTo(fill == MaskFill.ORIGINAL);
        Walk walk = pipeline.info().walk(request);
        float first = walk.sigmas().sigma(walk.first());
        GenerationRequest plain = request.toBuilder().inpainting(Inpainting.HARD).build();
        float[] usual = start(pipeline, plain);
        float[] filled = start(pipeline, request);
        // The noise alone is the start at full strength.
        float[] whole = start(pipeline, plain.toBuilder().init(plain.init(), 1).build());
        assertThat(pipeline.info().walk(plain.toBuilder().init(plain.init(), 1).build()).sigmas().sigma(0)).isEqualTo(1);
        for (int i = 0; i < usual.length; i++) {
            boolean drawn = i % (WIDTH / 8) < 3;
            float expected = !drawn || fill == MaskFill.ORIGINAL || fill == MaskFill.FILL ? usual[i]
                    : fill == MaskFill.NOISE ? whole[i] : first * whole[i];
            assertThat(filled[i]).isCloseTo(expected, Offset.offset(1e-5f));
        }
        assertKept(draw(pipeline, request), init, values);
    }

    private static float[] start(Pipeline pipeline, GenerationRequest request) {
        List<float[]> seen = new ArrayList<>();
        denoise(pipeline, request, new Progress() {
            @Override
            public void see(String name, Supplier<float[]> values) {
                if (name.equals("latents.start")) {
                    seen.add(values.get());
                }
            }
        });
        return seen.getFirst();
    }

    /** The border is a mask of its own around the picture. */
    @Test
    void aBorderIsDrawnAroundThePicture() {
        Pipeline pipeline = shapes();
        Picture photo = photo(32, 32);
        Border border = new Border(16, 0, 0, 16);
        InpaintSettings settings = new InpaintSettings(1, false, false, 0, MaskFill.ORIGINAL, false, border);
        GenerationRequest size = small(pipeline).toBuilder().size(48, 48).build();
        GenerationRequest request = settings.addTo(size, photo, null, false, 0.9);
        int[] values = new int[48 * 48];
        for (int i = 0; i < values.length; i++) {
            values[i] = i % 48 >= 16 + 2 && i / 48 < 32 - 2 ? 0 : 255;
        }
        GenerationRequest byHand = blurred(1).addTo(size, border.around(photo), mask(values, 48, 48), false, 0.9);
        Picture drawn = draw(pipeline, request);
        assertThat(drawn.rgb()).isEqualTo(draw(pipeline, byHand).rgb());
        Picture inside = NaiveImages.part(drawn, 16 + 5, 0, 32 - 5, 32 - 5);
        assertThat(inside.rgb()).isEqualTo(NaiveImages.part(photo, 5, 0, 32 - 5, 32 - 5).rgb());
    }

    /** No family knows of it; those that round sizes, read masks or draw another size included. */
    @ParameterizedTest
    @ValueSource(strings = {"sdxl", "sdxl-inpainting", "flux-dev", "auraflow", "pixart-sigma"})
    void everyFamily(String kind) {
        Pipeline pipeline = Pipeline.open(TinyModels.write(kind, folder), BACKEND);
        Picture photo = photo(75, 50);
        int[] disc = disc(75, 50, 30, 25, 12);
        GenerationRequest size = TinyModels.request(pipeline).size(WIDTH, HEIGHT).steps(2).seed(5).build();
        for (MaskFill fill : List.of(MaskFill.ORIGINAL, MaskFill.NOISE)) {
            InpaintSettings part = new InpaintSettings(2, false, true, 4, fill, false, null);
            Picture drawn = draw(pipeline, part.addTo(size, photo, mask(disc, 75, 50), false, 0.6));
            int[] soft = NaiveImages.blurred(disc, 75, 50, 2);
            assertKept(drawn, photo, soft);
            assertThat(drawn.rgb()).isNotEqualTo(photo.rgb());
            assertThat(pipeline.plan(part.addTo(size, photo, mask(disc, 75, 50), false, 0.6)).peak()).isPositive();
        }
        Picture resized = photo.resized(WIDTH, HEIGHT);
        GenerationRequest soft = blurred(1).addTo(size, photo, mask(disc, 75, 50), false, 1);
        Picture whole = draw(pipeline, soft);
        assertKept(whole, resized, soft.mask().luma());
        assertThat(whole.rgb()).isNotEqualTo(resized.rgb());
    }

    @Test
    void badSettings() {
        Pipeline pipeline = shapes();
        Picture init = photo(WIDTH, HEIGHT);
        Picture nothing = mask(new int[WIDTH * HEIGHT], WIDTH, HEIGHT);
        assertRefused("the mask is to be blurred by -1 pixels; use 0", () -> blurred(-1));
        assertRefused("the mask is to be blurred by 65 pixels", () -> blurred(65));
        assertRefused("the padding around what is masked is -3 pixels",
                () -> new InpaintSettings(0, false, true, -3, MaskFill.ORIGINAL, false, null));
        assertRefused("leave out one of the two", () -> new InpaintSettings(0, false, true, 0, MaskFill.ORIGINAL, false,
                new Border(1, 0, 0, 0)));
        InpaintSettings part = new InpaintSettings(2, false, true, 0, MaskFill.ORIGINAL, false, null);
        assertRefused("the mask selects nothing", () -> part.addTo(small(pipeline), init, nothing, false, 0.6));
        assertRefused("there is no mask", () -> part.addTo(small(pipeline), init, null, false, 0.6));
        assertRefused("the masked part cannot start from 'x'; use fill, original, noise, nothing",
                () -> MaskFill.of("x"));
        assertThat(MaskFill.of("2")).isEqualTo(MaskFill.NOISE).isEqualTo(MaskFill.of("Latent noise"));
    }

    private static void assertRefused(String message, ThrowingCallable call) {
        assertThatThrownBy(call).isInstanceOf(InputException.class).hasMessageContaining(message);
    }
}
