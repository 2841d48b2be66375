package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.EmulatedCuda;
import jdiffusion.model.OnEmulatedDevice;
import jdiffusion.model.TestData;
import jdiffusion.model.cache.StepCache;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserRun;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.family.Family;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Methods;
import jdiffusion.model.family.Progress;
import jdiffusion.model.family.SkippedEvaluation;
import jdiffusion.model.guidance.Guiders;
import jdiffusion.model.guidance.NumberTable;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.synthetic.SyntheticFiles;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StepCacheTest {
    private static final Backend BACKEND = new CpuBackend(2, Precision.F32);
    private static final Pipeline PIPELINE = Pipeline.open(TestData.defaultModel(), BACKEND);
    /**
     * What diffusers' TaylorSeerState (58eb52c, float32) predicts in evaluations 3, 4, 6, 7, 9 and 10 of NumberTable's
     * values 60 + i, updated in 0, 1, 2, 5, 8 and 11: two numbers each, for the orders 1, 2 and 3.
     */
    private static final double[][] TAYLOR = {
        {1.048, 0.955, 1.621, 1.528, 0.09633, 0.00333, 0.00167, -0.09133, -0.18767, -0.28067, -0.28233, -0.37533},
        {1.048, 0.955, 1.621, 1.528, -0.01494, -0.10794, -0.44344, -0.53644, -0.18767, -0.28067, -0.28233, -0.37533},
        {1.048, 0.955, 1.621, 1.528, -0.02731, -0.12031, -0.54236, -0.63536, -0.1753, -0.2683, -0.18342, -0.27642}};

    @AfterAll
    static void close() {
        PIPELINE.close();
        BACKEND.close();
    }

    @Test
    void taylorIsWhatDiffusersComputes() {
        for (int order = 1; order <= TAYLOR.length; order++) {
            try (Workspace w = BACKEND.newWorkspace(1 << 12)) {
                int[] evaluation = {0};
                TaylorRun run = new TaylorRun(new StepCache.Taylor(3, order, 3), new DenoiserRun() {
                    @Override
                    public void predict(Tensor latents, float time, Tensor out) {
                        BACKEND.upload(NumberTable.of(60 + evaluation[0], 2), out);
                    }

                    @Override
                    public void predict(Tensor latents, float[] times, Tensor out) {
                        throw new IllegalStateException("not asked here");
                    }
                }, BACKEND, w, 1, 2, 1, 1);
                Tensor out = w.f32(1, 2, 1, 1);
                List<Double> skipped = new ArrayList<>();
                for (int draw = 0; draw < 2; draw++) {
                    run.begin();
                    skipped.clear();
                    for (int i = 0; i < 12; i++) {
                        evaluation[0] = i;
                        run.predict(null, 0, out);
                        if (run.skipped(0)) {
                            skipped.add((double) BACKEND.download(out)[0]);
                            skipped.add((double) BACKEND.download(out)[1]);
                        }
                    }
                    assertThat(skipped).hasSize(12);
                    for (int i = 0; i < 12; i++) {
                        assertThat(skipped.get(i)).as("order %d, number %d", order, i)
                                .isCloseTo(TAYLOR[order - 1][i], within(2e-5));
                    }
                }
            }
        }
    }

    /** With the same latents and time again, the blocks that are left out add what they would have added. */
    @ParameterizedTest
    @ValueSource(strings = {"sd35-medium", "flux-dev", "auraflow", "pixart-sigma"})
    void blocksAreLeftOut(String kind) {
        try (var backend = new CpuBackend(2, Precision.F32)) {
            reuse(backend, kind, 1e-5);
        }
    }

    @Test
    @OnEmulatedDevice
    void onADevice() {
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, true)) {
            reuse(cuda.backend(), "sd35-medium", 1e-2);
        }
    }

    private static void reuse(Backend backend, String kind, double tolerance) {
        var synthetic = Families.synthetic(kind).tiny(new Vocabularies(50, 50, 50));
        Family family = Families.ALL.stream().filter(f -> f.synthetic().contains(Families.synthetic(kind))).findFirst()
                .orElseThrow();
        Stages.run(backend, SyntheticFiles.tensors(synthetic, Component.DENOISER, DType.F32), false,
                Component.DENOISER, "transformer", family::loadDenoiser, (Stage<Denoiser> stage) -> {
                    Denoiser denoiser = stage.model();
                    Workspace w = stage.compute().workspace();
                    var config = denoiser.config();
                    int channels = config.inChannels();
                    DenoiserSetup setup = new DenoiserSetup(List.of(family.blank(config, 20)), 1, 8, 8,
                            new float[] {700, 300});
                    DenoiserRun plain = denoiser.start(stage.compute(), setup);
                    DenoiserRun always = denoiser.start(stage.compute(), setup.alone(0, 0));
                    DenoiserRun once = denoiser.start(stage.compute(), setup.alone(0, 1e9));
                    Tensor first = w.f32(1, channels, 8, 8);
                    Tensor second = w.f32(1, channels, 8, 8);
                    stage.compute().backend().upload(NumberTable.of(3, channels * 64), first);
                    stage.compute().backend().upload(NumberTable.of(4, channels * 64), second);
                    Tensor out = w.f32(1, config.outChannels(), 8, 8);
                    assertThat(plain.cache()).isNull();
                    always.cache().begin();
                    once.cache().begin();
                    float[] a = predict(stage, plain, first, 700, out);
                    float[] b = predict(stage, plain, second, 300, out);
                    float[] a2 = predict(stage, always, first, 700, out);
                    float[] b2 = predict(stage, always, second, 300, out);
                    boolean skipped = always.cache().skipped();
                    float[] a3 = predict(stage, once, first, 700, out);
                    boolean skippedFirst = once.cache().skipped();
                    float[] again = predict(stage, once, first, 700, out);
                    boolean skippedAgain = once.cache().skipped();
                    float[] b3 = predict(stage, once, second, 300, out);
                    if (!stage.counting()) {
                        assertThat(a2).isEqualTo(a);
                        assertThat(b2).isEqualTo(b);
                        assertThat(skipped).isFalse();
                        assertThat(a3).isEqualTo(a);
                        assertThat(skippedFirst).isFalse();
                        assertThat(skippedAgain).isTrue();
                        assertThat(again).usingComparatorWithPrecision((float) tolerance).containsExactly(a);
                        assertThat(b3).isNotEqualTo(b);
                    }
                    return null;
                }, _ -> { });
    }

    private static float[] predict(Stage<Denoiser> stage, DenoiserRun run, Tensor latents, float time, Tensor out) {
        run.predict(latents, time, out);
        return stage.download(out);
    }

    /** A cache that saves nothing draws the plain picture; others the same in a series and alone. */
    @Test
    void wholeRequests() {
        GenerationRequest.Builder request = PIPELINE.request("a green star").toBuilder().size(64, 48).steps(8)
                .t5Length(20).seed(7);
        byte[] plain = draw(request, null, Progress.NONE);
        assertThat(draw(request, "taylor(1)", Progress.NONE)).isEqualTo(plain);
        assertThat(draw(request, "first-block(0)", Progress.NONE)).isEqualTo(plain);
        for (String cache : List.of("taylor(3,warmup=2)", "first-block(0.5)")) {
            byte[] alone = draw(request, cache, Progress.NONE);
            assertThat(alone).as(cache).isNotEqualTo(plain);
            Methods methods = Methods.NONE.withCache(StepCache.of("--cache", cache), false);
            for (GenerationRequest.Seeds seeds : GenerationRequest.Seeds.values()) {
                var series = request.images(2).seeds(seeds).methods(methods).build();
                byte[] first = PIPELINE.generate(series, Progress.NONE).get(0).rgb();
                assertThat(first).as(cache + " " + seeds).isEqualTo(alone);
            }
            request.images(1).seeds(GenerationRequest.Seeds.CONSECUTIVE);
        }
    }

    /** Errors are there where they are asked for, for each branch, and change nothing. */
    @Test
    void errorsAreReported() {
        GenerationRequest.Builder request = PIPELINE.request("a green star").toBuilder().size(64, 48).steps(8)
                .t5Length(20).guiders(Guiders.of("--guiders", "pag(start=0,stop=1)"));
        Map<String, List<Double>> errors = new TreeMap<>();
        Progress listening = new Progress() {
            @Override
            public void skipped(int evaluation, SkippedEvaluation what) {
                errors.computeIfAbsent(what.branch(), _ -> new ArrayList<>()).add(what.error());
            }
        };
        Methods pushed = request.build().methods();
        StepCache cache = StepCache.of("--cache", "taylor(2,warmup=2)");
        byte[] quiet = PIPELINE.generate(request.methods(pushed.withCache(cache, false)).build(), listening)
                .getFirst().rgb();
        assertThat(errors.get("prompt")).hasSize(3).containsOnly(Double.NaN);
        errors.clear();
        byte[] told = PIPELINE.generate(request.methods(pushed.withCache(cache, true)).build(), listening).getFirst()
                .rgb();
        assertThat(told).isEqualTo(quiet);
        assertThat(errors.keySet()).containsExactly("negative", "pag", "prompt");
        errors.values().forEach(all -> assertThat(all).allMatch(e -> e > 0 && e < 100));
        assertThat(errors.get("negative")).hasSize(3);
        assertThatThrownBy(() -> Methods.NONE.withCache(null, true)).isInstanceOf(InputException.class)
                .hasMessageContaining("taylor(4), first-block(0.1)");
    }

    @Test
    void badOnesAreNamed() {
        Map<String, String> messages = Map.of("teacache(1)", "there is no cache 'teacache'; there are taylor(4)",
                "taylor(0)", "the interval of taylor is '0'", "taylor(4,order=4)", "from 0 to 3",
                "first-block(-1)", "threshold", "taylor(4),first-block(1)", "are 2 caches",
                "taylor(2.5)", "whole number", "first-block(1,2)", "takes no '2'; it takes threshold");
        messages.forEach((text, message) -> assertThatThrownBy(() -> StepCache.of("--cache", text)).as(text)
                .isInstanceOf(InputException.class).hasMessageContaining(message));
        for (String text : List.of("taylor(4,order=1,warmup=3)", "first-block(0.1)")) {
            assertThat(StepCache.of("--cache", text).text()).isEqualTo(text);
        }
        GenerationRequest heun = PIPELINE.request("a").toBuilder().sampler(Sampler.Kind.HEUN)
                .methods(Methods.NONE.withCache(StepCache.of("--cache", "taylor"), false)).build();
        assertThatThrownBy(() -> PIPELINE.check(heun)).isInstanceOf(InputException.class)
                .hasMessageContaining("heun asks the network twice in a step");
    }

    private static byte[] draw(GenerationRequest.Builder request, String cache, Progress progress) {
        Methods methods = cache == null ? Methods.NONE
                : Methods.NONE.withCache(StepCache.of("--cache", cache), false);
        return PIPELINE.generate(request.methods(methods).build(), progress).getFirst().rgb();
    }
}
