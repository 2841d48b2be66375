package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.stream.IntStream;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.family.Compat;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Methods;
import jdiffusion.model.family.Progress;
import jdiffusion.model.sampling.NoiseSource;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.Sigmas;
import jdiffusion.model.sampling.SkipLayers;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/** The references of diffusers' pipelines are drawn as {@link Compat#DIFFUSERS} says: PipelineVerifier begins there. */
class CompatTest {
    private static final Backend BACKEND = new CpuBackend(2, Precision.F32);
    private static final Pipeline PIPELINE = Pipeline.open(TestData.defaultModel(), BACKEND);

    @AfterAll
    static void close() {
        PIPELINE.close();
        BACKEND.close();
    }

    private static GenerationRequest as(Compat compat) {
        return compat.over(PIPELINE.request("a green star"), PIPELINE.family());
    }

    @Test
    void eachHasItsSettings() {
        assertThat(as(Compat.DIFFUSERS).t5Length()).isEqualTo(256);
        assertThat(as(Compat.DIFFUSERS).seeds()).isEqualTo(GenerationRequest.Seeds.ONE_DRAW);
        assertThat(as(Compat.COMFYUI).seeds()).isEqualTo(GenerationRequest.Seeds.ONE_DRAW);
        assertThat(as(Compat.COMFYUI).skipLayers().scale()).isEqualTo(3);
        assertThat(as(Compat.SDCPP).methods().noise()).isEqualTo(NoiseSource.PHILOX);
        assertThat(as(Compat.SDCPP).t5Length()).isEqualTo(77);
        assertThat(as(Compat.SDCPP).seeds()).isEqualTo(GenerationRequest.Seeds.CONSECUTIVE);
        assertThat(as(Compat.REFERENCE).sampler().kind()).isEqualTo(Sampler.Kind.DPMPP_2M);
        assertThat(as(Compat.REFERENCE).skipLayers().scale()).isEqualTo(2.5f);
        assertThat(Compat.of("--compat", "sdcpp").notes(as(Compat.SDCPP), PIPELINE.family())).isNotEmpty();
        assertThatThrownBy(() -> Compat.of("--compat", "invoke")).isInstanceOf(InputException.class)
                .hasMessageContaining("'invoke'; use one of diffusers, comfyui, sdcpp, reference");
    }

    /** The last level before 0 at 28 steps and a shift of 3. */
    @Test
    void schedulesEndWhereTheirsDo() {
        assertThat(last(Compat.DIFFUSERS)).isCloseTo(0.0089, within(5e-5));
        assertThat(last(Compat.REFERENCE)).isCloseTo(0.0089, within(5e-5));
        assertThat(last(Compat.SDCPP)).isCloseTo(0.0030, within(5e-5));
    }

    private static double last(Compat compat) {
        Sigmas sigmas = PIPELINE.sigmas(as(compat).toBuilder().steps(28).shift(3).build());
        return sigmas.sigma(sigmas.evaluations() - 1);
    }

    /** Of 40 steps: diffusers and the reference guide 1 to 7, stable-diffusion.cpp, which counts from 1, 0 to 6. */
    @Test
    void skippedLayersGuideTheSameSteps() {
        assertThat(guided(Compat.DIFFUSERS)).containsExactly(1, 2, 3, 4, 5, 6, 7);
        assertThat(guided(Compat.REFERENCE)).containsExactly(1, 2, 3, 4, 5, 6, 7);
        assertThat(guided(Compat.SDCPP)).containsExactly(0, 1, 2, 3, 4, 5, 6);
    }

    private static List<Integer> guided(Compat compat) {
        SkipLayers usual = as(compat).skipLayers();
        SkipLayers skip = new SkipLayers(List.of(1), usual.scale(), usual.start(), usual.stop());
        return IntStream.range(0, 40).filter(i -> skip.active(i + compat.firstStep(), 40)).boxed().toList();
    }

    /** Philox draws another picture of the same seed; in a series as alone. */
    @Test
    void noiseComesFromItsSource() {
        GenerationRequest.Builder request = PIPELINE.request("a green star").toBuilder().size(64, 48).steps(2)
                .t5Length(20).seed(8);
        byte[] cpu = PIPELINE.generate(request.build(), Progress.NONE).getFirst().rgb();
        request.methods(Methods.NONE.withNoise(NoiseSource.PHILOX));
        byte[] philox = PIPELINE.generate(request.build(), Progress.NONE).getFirst().rgb();
        byte[] second = PIPELINE.generate(request.seed(7).images(2).build(), Progress.NONE).get(1).rgb();
        assertThat(philox).isNotEqualTo(cpu).isEqualTo(second);
    }
}
