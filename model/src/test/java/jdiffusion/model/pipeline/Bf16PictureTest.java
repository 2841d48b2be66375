package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.List;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.kernels.machine.CpuLevel;
import jdiffusion.model.TestData;
import jdiffusion.model.family.Progress;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What {@code --precision bf16} changes in pictures of the default model, at every level of the CPU, against what
 * bfloat16 changes in PyTorch.
 *
 * <p>PyTorch's errors are of version 2.13.0 on a CPU with AVX512_BF16, of the same requests (64x64, 8 steps,
 * guidance 4, 77 tokens for T5, the same noise), everything in {@code torch.bfloat16} as in diffusers' pipeline
 * (latents between steps too; the scheduler's sum in float32), against its own run in float32. The naive ones are of
 * float32 arithmetic there with the inputs of all products rounded to bfloat16, attention's probabilities included:
 * what this precision means here.
 */
class Bf16PictureTest {
    private static final List<Drawn> CASES = List.of(
            new Drawn("a red circle on a blue background", 0, new Errors(1.711e-2, 1.971e-3)),
            new Drawn("a brown triangle on a white background", 4, new Errors(1.517e-2, 2.343e-3)),
            new Drawn("the letter A", 9, new Errors(3.157e-2, 8.430e-3)));
    /** Root mean squares over the requests, as a single one's is luck; of inputs cut off, 3 to 4 times as much. */
    private static final Errors NAIVE = new Errors(1.336e-2, 3.126e-3);
    private static final double FACTOR = 2;
    private static final Values[] EXACT = new Values[CASES.size()];

    private record Drawn(String prompt, long seed, Errors pytorch) {
    }

    /** Latents, and the picture's values in 0 to 1 before they are rounded to bytes. */
    private record Values(float[] latents, float[] picture) {
    }

    /**
     * @param latents relative RMS error of the final latents
     * @param picture RMS error of the picture's values in 0 to 1
     */
    private record Errors(double latents, double picture) {
        static Errors between(Values got, Values exact) {
            return new Errors(distance(got.latents, exact.latents)
                    / distance(new float[exact.latents.length], exact.latents), distance(got.picture, exact.picture));
        }

        private static double distance(float[] a, float[] b) {
            double sum = 0;
            for (int i = 0; i < a.length; i++) {
                double d = a[i] - b[i];
                sum += d * d;
            }
            return Math.sqrt(sum / a.length);
        }
    }

    @BeforeAll
    static void drawExactly() {
        try (var backend = new CpuBackend(2, Precision.F32)) {
            for (int i = 0; i < EXACT.length; i++) {
                EXACT[i] = draw(backend, CASES.get(i));
            }
        }
    }

    private static Values draw(CpuBackend backend, Drawn drawn) {
        try (var pipeline = Pipeline.open(TestData.defaultModel(), backend)) {
            var request = pipeline.request(drawn.prompt).toBuilder().seed(drawn.seed).size(64, 64).steps(8)
                    .guidance(4).t5Length(77).build();
            float[] latents = pipeline.denoise(request, pipeline.encode(request, Progress.NONE), Progress.NONE);
            float[] picture = pipeline.decodeValues(request, latents, Progress.NONE);
            for (int i = 0; i < picture.length; i++) {
                picture[i] = Math.clamp(picture[i] / 2 + 0.5f, 0f, 1f);
            }
            return new Values(latents, picture);
        }
    }

    @ParameterizedTest
    @EnumSource(CpuLevel.class)
    void errorsAreAtMostTwiceThoseOfPytorchAndOfNaiveCode(CpuLevel level) {
        assumeTrue(level.obstacle() == null, () -> level.label() + ": " + level.obstacle());
        double latents = 0;
        double pictures = 0;
        try (var backend = new CpuBackend(2, Precision.BF16, level)) {
            for (int i = 0; i < EXACT.length; i++) {
                Drawn drawn = CASES.get(i);
                Errors errors = Errors.between(draw(backend, drawn), EXACT[i]);
                assertThat(errors.latents).as("latents of %s", drawn.prompt).isPositive()
                        .isLessThan(FACTOR * drawn.pytorch.latents);
                assertThat(errors.picture).as("picture of %s", drawn.prompt).isPositive()
                        .isLessThan(FACTOR * drawn.pytorch.picture);
                latents += errors.latents * errors.latents / EXACT.length;
                pictures += errors.picture * errors.picture / EXACT.length;
            }
        }
        assertThat(Math.sqrt(latents)).as("latents of all").isLessThan(FACTOR * NAIVE.latents);
        assertThat(Math.sqrt(pictures)).as("pictures of all").isLessThan(FACTOR * NAIVE.picture);
    }

    /** Where there is AMX; elsewhere the same was drawn once by the twin that the tests of its products have. */
    @ParameterizedTest
    @CsvSource({"BF16X2, 1.41e-5, 3.67e-6", "BF16X3, 1.83e-6, 3.37e-7"})
    void inputsInPartsAreAsCloseAsTheirTwin(Precision precision, double latents, double pictures) {
        assumeTrue(CpuLevel.AMX.obstacle() == null, () -> "amx: " + CpuLevel.AMX.obstacle());
        double latentSquares = 0;
        double pictureSquares = 0;
        try (var backend = new CpuBackend(2, precision, CpuLevel.AMX)) {
            for (int i = 0; i < EXACT.length; i++) {
                Errors errors = Errors.between(draw(backend, CASES.get(i)), EXACT[i]);
                latentSquares += errors.latents * errors.latents / EXACT.length;
                pictureSquares += errors.picture * errors.picture / EXACT.length;
            }
        }
        assertThat(Math.sqrt(latentSquares)).isPositive().isLessThan(FACTOR * latents);
        assertThat(Math.sqrt(pictureSquares)).isPositive().isLessThan(FACTOR * pictures);
    }
}
