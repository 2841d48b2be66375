package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.family.Progress;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;
import org.junit.jupiter.api.Test;

class GuidanceRescaleTest {
    private static final int SIZE = 4 * 5 * 3;
    /** Of float32. */
    private static final double EPSILON = Math.ulp(1f);

    /** Each image by itself, as the paper's formula says it. */
    @Test
    void isTheFormula() {
        float share = 0.7f;
        float[] positive = normals(1, 2 * SIZE, 0.3, 1.1);
        float[] guided = normals(2, 2 * SIZE, -0.2, 2.5);
        float[] rescaled = rescaled(share, positive, guided);
        for (int image = 0; image < 2; image++) {
            float[] p = Arrays.copyOfRange(positive, image * SIZE, (image + 1) * SIZE);
            float[] g = Arrays.copyOfRange(guided, image * SIZE, (image + 1) * SIZE);
            for (int i = 0; i < SIZE; i++) {
                double wanted = share * (g[i] * (deviation(p) / deviation(g))) + (1 - share) * g[i];
                assertThat((double) rescaled[image * SIZE + i]).as("value %d of image %d", i, image)
                        .isCloseTo(wanted, within(2 * EPSILON * Math.abs(wanted)));
            }
        }
    }

    @Test
    void aPredictionWithoutDeviationStays() {
        float[] same = new float[SIZE];
        Arrays.fill(same, 0.5f);
        assertThat(rescaled(1, normals(1, SIZE, 0, 1), same)).isEqualTo(same);
    }

    /** In a batch and alone; and the share 0 changes nothing. */
    @Test
    void theWholeRequest() {
        try (var backend = new CpuBackend(2, Precision.F32)) {
            var pipeline = Pipeline.open(TestData.defaultModel(), backend);
            var request = pipeline.request("a green star").toBuilder().size(64, 48).steps(2).t5Length(20).seed(7);
            byte[] plain = pipeline.generate(request.build(), Progress.NONE).getFirst().rgb();
            byte[] rescaled = pipeline.generate(request.guidanceRescale(0.7f).build(), Progress.NONE).getFirst().rgb();
            byte[] inSeries = pipeline.generate(request.seed(6).images(2).build(), Progress.NONE).get(1).rgb();
            byte[] unguided = pipeline.generate(request.seed(7).images(1).guidance(1).build(), Progress.NONE)
                    .getFirst().rgb();
            byte[] unguidedPlain = pipeline.generate(request.guidanceRescale(0).build(), Progress.NONE).getFirst()
                    .rgb();
            assertThat(rescaled).isNotEqualTo(plain).isEqualTo(inSeries);
            assertThat(unguided).isEqualTo(unguidedPlain);
        }
    }

    private static float[] rescaled(float share, float[] positive, float[] guided) {
        try (var backend = new CpuBackend(2, Precision.F32);
                Workspace workspace = backend.newWorkspace(1 << 20)) {
            Tensor p = workspace.f32(positive.length / SIZE, 4, 5, 3);
            Tensor g = workspace.f32(guided.length / SIZE, 4, 5, 3);
            backend.upload(Arrays.copyOf(positive, (int) p.shape().size()), p);
            backend.upload(guided, g);
            new GuidanceRescale(share, SIZE).apply(backend, p, g);
            return backend.download(g);
        }
    }

    private static double deviation(float[] values) {
        double mean = 0;
        for (float value : values) {
            mean += (double) value / values.length;
        }
        double sum = 0;
        for (float value : values) {
            sum += Math.pow(value - mean, 2);
        }
        return Math.sqrt(sum / (values.length - 1));
    }

    private static float[] normals(long seed, int count, double mean, double deviation) {
        Random random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian(mean, deviation);
        }
        return values;
    }
}
