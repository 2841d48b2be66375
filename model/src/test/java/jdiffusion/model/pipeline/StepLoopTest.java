package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import org.junit.jupiter.api.Test;

/** What the loop over steps promises: the same bytes whatever the threads and the batch. */
class StepLoopTest {
    @Test
    void threadsDoNotChangeThePicture() {
        List<List<Picture>> pictures = new ArrayList<>();
        for (int count : new int[] {1, 2, 3, 2}) {
            try (var backend = new CpuBackend(count, Precision.F32)) {
                var pipeline = Pipeline.open(TestData.defaultModel(), backend);
                pictures.add(pipeline.generate(small(pipeline).build(), Progress.NONE));
            }
        }
        for (List<Picture> other : pictures) {
            assertThat(other.getFirst().rgb()).isEqualTo(pictures.getFirst().getFirst().rgb());
        }
    }

    @Test
    void aPictureDoesNotDependOnItsPlaceInASeries() {
        try (var backend = new CpuBackend(2, Precision.F32)) {
            var pipeline = Pipeline.open(TestData.defaultModel(), backend);
            List<Picture> series = pipeline.generate(small(pipeline).seed(7).images(3).build(), Progress.NONE);
            List<Picture> alone = pipeline.generate(small(pipeline).seed(9).build(), Progress.NONE);
            assertThat(series.get(2).rgb()).isEqualTo(alone.getFirst().rgb());
            assertThat(series.get(1).rgb()).isNotEqualTo(alone.getFirst().rgb());
        }
    }

    /**
     * Those that draw noise draw another picture of the same: most of it is background. The schedule is one without a
     * last level close to 0, over which solvers of third order would extrapolate far, and LMS, which is stable for
     * small steps only, takes more of them.
     */
    @Test
    void everySamplerAndPrecisionDrawsAboutTheSamePicture() {
        Map<String, Double> far = new TreeMap<>();
        Picture reference = null;
        for (Sampler.Kind sampler : Sampler.Kind.values()) {
            Precision precision = sampler == Sampler.Kind.DPMPP_2M ? Precision.BF16 : Precision.F32;
            try (var backend = new CpuBackend(2, precision)) {
                var pipeline = Pipeline.open(TestData.defaultModel(), backend);
                Picture picture = pipeline.generate(pipeline.request("a red circle on a blue background").toBuilder()
                        .size(64, 64).t5Length(32).steps(sampler == Sampler.Kind.LMS ? 36 : 12).sampler(sampler)
                        .schedule(SigmaSchedule.SIMPLE).build(), Progress.NONE).getFirst();
                reference = reference == null ? picture : reference;
                double difference = difference(reference, picture);
                boolean same = sampler == Sampler.Kind.EULER || sampler == Sampler.Kind.DDIM;
                if (same != (difference == 0) || difference > (sampler.isStochastic() ? 60 : 20)) {
                    far.put(sampler.label(), difference);
                }
            }
        }
        assertThat(far).isEmpty();
    }

    @Test
    void noiseDrawnInStepsDoesNotDependOnThePlaceInASeries() {
        try (var backend = new CpuBackend(2, Precision.F32)) {
            var pipeline = Pipeline.open(TestData.defaultModel(), backend);
            var request = small(pipeline).sampler(Sampler.Kind.EULER_ANCESTRAL).steps(3);
            List<Picture> series = pipeline.generate(request.seed(7).images(2).build(), Progress.NONE);
            List<Picture> alone = pipeline.generate(request.seed(8).images(1).build(), Progress.NONE);
            assertThat(series.get(1).rgb()).isEqualTo(alone.getFirst().rgb());
        }
    }

    private static double difference(Picture a, Picture b) {
        long sum = 0;
        for (int i = 0; i < a.rgb().length; i++) {
            sum += Math.abs((a.rgb()[i] & 0xff) - (b.rgb()[i] & 0xff));
        }
        return (double) sum / a.rgb().length;
    }

    private static GenerationRequest.Builder small(Pipeline pipeline) {
        return pipeline.request("a green star").toBuilder().size(64, 48).steps(2).t5Length(20);
    }
}
