package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.Compute;
import jdiffusion.model.TestData;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.ControlTraits;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserConfig;
import jdiffusion.model.family.DenoiserRun;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.guidance.Guiders;
import jdiffusion.model.guidance.NumberTable;
import jdiffusion.model.sampling.SkipLayers;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class GuidersTest {
    private static final int SIDE = 8;
    private static final int SIZE = 2 * SIDE * SIDE;
    private static final int STEPS = 10;
    private static final int EVALUATIONS = 3;
    /** Numbers of the reference are rounded to 5 decimals; they and float32's sums are below 20. */
    private static final float CLOSE = 2e-5f;
    private static final Backend BACKEND = new CpuBackend(2, Precision.F32);
    private static final Pipeline PIPELINE = Pipeline.open(TestData.defaultModel(), BACKEND);

    @AfterAll
    static void close() {
        PIPELINE.close();
        BACKEND.close();
    }

    /** What a network predicts in each evaluation, without the prompt, with it, and with its attention changed. */
    private record Told(Walk walk, List<Integer> asked) implements Denoiser {
        private record Config() implements DenoiserConfig {
            @Override
            public int inChannels() {
                return 1;
            }

            @Override
            public int outChannels() {
                return 1;
            }

            @Override
            public int patch() {
                return 1;
            }

            @Override
            public int contextDim() {
                return 1;
            }

            @Override
            public int pooledDim() {
                return 0;
            }

            @Override
            public int positions() {
                return 0;
            }

            @Override
            public int layers() {
                return 0;
            }

            @Override
            public String describe() {
                return "numbers";
            }
        }

        @Override
        public DenoiserConfig config() {
            return new Config();
        }

        @Override
        public ControlTraits control() {
            return null;
        }

        @Override
        public DenoiserRun start(Compute compute, DenoiserSetup setup) {
            return new DenoiserRun() {
                @Override
                public void predict(Tensor latents, float time, Tensor out) {
                    int e = 0;
                    while (walk.sigmas().timestep(e) != time) {
                        e++;
                    }
                    asked.add(setup.batch());
                    Backend backend = compute.backend();
                    if (setup.change() != null) {
                        backend.upload(NumberTable.of(30, SIZE), out);
                    } else if (setup.batch() == setup.images()) {
                        backend.upload(with(e), out);
                    } else {
                        backend.upload(without(e), out.slice(0, 2));
                        backend.upload(with(e), out.slice(2, 4));
                    }
                }

                @Override
                public void predict(Tensor latents, float[] times, Tensor out) {
                    throw new IllegalStateException("not asked here");
                }
            };
        }
    }

    private static float[] with(int evaluation) {
        return NumberTable.of(10 + evaluation, SIZE);
    }

    private static float[] without(int evaluation) {
        float[] values = with(evaluation);
        float[] other = NumberTable.of(20 + evaluation, SIZE);
        for (int i = 0; i < SIZE; i++) {
            values[i] = 0.7f * values[i] + 0.5f * other[i];
        }
        return values;
    }

    /** Results of evaluations one after the other, as often as there are draws. */
    private static List<float[]> guided(Guiders guiders, int draws, List<Integer> asked) {
        GenerationRequest request = PIPELINE.request("").toBuilder().negativePrompt("").steps(STEPS).guidance(4.5f)
                .guiders(guiders).build();
        Walk walk = PIPELINE.info().walk(request);
        Conditioning none = new Conditioning(Map.of());
        List<float[]> results = new ArrayList<>();
        try (Workspace workspace = BACKEND.newWorkspace(1 << 20)) {
            Compute compute = new Compute(BACKEND, workspace);
            GuidedPrediction prediction = new GuidedPrediction(new Told(walk, asked), compute, request, walk,
                    new DenoiserSetup(List.of(none, none, none, none), 2, SIDE, SIDE, new float[0]), null);
            Tensor latents = workspace.f32(2, 1, SIDE, SIDE);
            BACKEND.upload(new float[SIZE], latents);
            for (int draw = 0; draw < draws; draw++) {
                prediction.begin();
                for (int e = 0; e < EVALUATIONS; e++) {
                    results.add(BACKEND.download(prediction.at(e, latents)));
                }
            }
        }
        return results;
    }

    /** Diffusers' numbers; and a second draw, before which all is forgotten, gives the same. */
    @TestFactory
    List<DynamicTest> eachIsWhatDiffusersComputes() {
        JsonNode all = TestData.json(TestData.pipelines().resolveSibling("guiders").resolve("guiders.json"));
        List<DynamicTest> tests = new ArrayList<>();
        all.properties().forEach(entry -> tests.add(DynamicTest.dynamicTest(entry.getKey(), () -> {
            List<float[]> results = guided(Guiders.of("--guiders", entry.getKey()), 2, new ArrayList<>());
            int at = 0;
            for (int e = 0; e < EVALUATIONS; e++) {
                for (int i = 0; i < SIZE; i++) {
                    float wanted = (float) entry.getValue().get(at++).asDouble();
                    assertThat(results.get(e)[i]).as("evaluation %d, value %d", e, i)
                            .isCloseTo(wanted, within(CLOSE));
                }
                assertThat(results.get(EVALUATIONS + e)).isEqualTo(results.get(e));
            }
            assertThat(at).isEqualTo(entry.getValue().size());
        })));
        assertThat(tests).hasSizeGreaterThan(9);
        return tests;
    }

    /** Outside of the interval the network is asked for the prompt alone, and where zero is predicted not at all. */
    @Test
    void nothingIsPredictedInVain() {
        List<Integer> asked = new ArrayList<>();
        guided(Guiders.of("--guiders", "interval(0.1,0.2), cfg-zero"), 1, asked);
        assertThat(asked).containsExactly(4, 2);
    }

    @Test
    void textsAreReadBack() {
        for (String text : List.of("cfg-zero(zeroes=2)", "apg(eta=0.5,limit=15,momentum=-0.5)", "tcfg",
                "mag(alpha=8)", "fdg(10,5,parallel=1)", "fdg(10,7.5,5,parallel=0.5)", "interval(0.1,0.8)",
                "rescale(0.7)", "pag(scale=2.8,start=0.01,stop=0.2,layers=7+8+9)",
                "seg(scale=2.8,sigma=Infinity,start=0,stop=1)", "seg(scale=2.8,sigma=2.5,start=0,stop=1,layers=0)")) {
            assertThat(Guiders.of("--guiders", text).text()).isEqualTo(text);
        }
        assertThat(Guiders.of("--guiders", "PAG(layers=7-9), interval(0.2), apg(0.5)").text()).isEqualTo(
                "pag(scale=2.8,start=0.01,stop=0.2,layers=7+8+9), interval(0.2,1), apg(eta=0.5,limit=15,momentum=0)");
    }

    @Test
    void badOnesAreNamed() {
        Map<String, String> messages = Map.ofEntries(
                Map.entry("apg,cfg-zero", "apg and cfg-zero both replace the formula of guidance"),
                Map.entry("tcfg,fdg(10,5)", "tcfg and fdg both replace"),
                Map.entry("pag,pag(scale=1)", "are the same"),
                Map.entry("cads", "there is no guider 'cads'; there are interval, cfg-zero, apg, tcfg, fdg, mag, pag"),
                Map.entry("apg(eta=20)", "the eta of apg is '20'; give a number from 0 to 10"),
                Map.entry("apg(eta=NaN)", "the eta of apg is 'NaN'"),
                Map.entry("apg(beta=1)", "apg takes no 'beta'; it takes eta, limit, momentum"),
                Map.entry("interval(0.8,0.1)", "the stop of interval is '0.1'; give a number from 0.8 to 1"),
                Map.entry("tcfg(1)", "tcfg takes no '1'; it takes no arguments"),
                Map.entry("apg(eta=0.5", "brackets"), Map.entry("apg)", "brackets"), Map.entry("apg,,pag", "comma"),
                Map.entry("cfg-zero(zeroes=1.5)", "whole number"), Map.entry(" ", "is empty"),
                Map.entry("pag(layers=9-7)", "numbers like 7+8+9"), Map.entry("pag(layers=x)", "numbers like"),
                Map.entry("apg(eta=1,eta=2)", "twice"));
        messages.forEach((text, message) -> assertThatThrownBy(() -> Guiders.of("--guiders", text)).as(text)
                .isInstanceOf(InputException.class).hasMessageContaining(message));
    }

    /** The same in a series; without guidance only pushes act; an interval of all is no interval. */
    @Test
    void wholeRequests() {
        GenerationRequest.Builder request = PIPELINE.request("a green star").toBuilder().size(64, 48).steps(3)
                .t5Length(20).seed(7);
        byte[] plain = draw(request, 0);
        byte[] all = draw(request.guiders(Guiders.of("--guiders",
                "apg(eta=0.5,limit=5,momentum=-0.5),interval(0,0.9),rescale(0.5),pag(start=0,stop=1),seg(sigma=1)")),
                0);
        assertThat(all).isNotEqualTo(plain);
        assertThat(draw(request.seed(6).images(2), 1)).isEqualTo(all);
        request.seed(7).images(1);
        byte[] whole = draw(request.guiders(Guiders.of("--guiders", "interval(0,1)")), 0);
        assertThat(whole).isEqualTo(plain);
        byte[] unguided = draw(request.guiders(Guiders.NONE).guidance(1), 0);
        assertThat(draw(request.guiders(Guiders.of("--guiders", "apg,rescale,interval(0,0.5)")), 0))
                .isEqualTo(unguided);
        assertThat(draw(request.guiders(Guiders.of("--guiders", "interval(0,0)")).guidance(4), 0)).isEqualTo(unguided);
        assertThat(draw(request.guiders(Guiders.of("--guiders", "pag(start=0,stop=1)")).guidance(1), 0))
                .isNotEqualTo(unguided);
    }

    /** Skip-layer guidance with nothing left out of a plain run would be no push; with layers it is. */
    @Test
    void pushesAndSkippedLayersAddUp() {
        GenerationRequest.Builder request = PIPELINE.request("a green star").toBuilder().size(64, 48).steps(3)
                .t5Length(20).skipLayers(new SkipLayers(List.of(1), 2, 0, 1));
        byte[] skipped = draw(request, 0);
        assertThat(draw(request.guiders(Guiders.of("--guiders", "pag(scale=0)")), 0)).isEqualTo(skipped);
        assertThat(draw(request.guiders(Guiders.of("--guiders", "pag(start=0,stop=1)")), 0)).isNotEqualTo(skipped);
    }

    @Test
    void layersThatAreNotThereAreNamed() {
        GenerationRequest request = PIPELINE.request("a").toBuilder().guiders(Guiders.of("--guiders",
                "pag(layers=1+4)")).build();
        assertThatThrownBy(() -> PIPELINE.check(request)).isInstanceOf(InputException.class)
                .hasMessageContaining("layer 4; this model has layers 0 to 3");
        assertThatThrownBy(() -> PIPELINE.request("a").toBuilder().guidanceRescale(0.5f).guiders(
                Guiders.of("--guiders", "rescale(0.7)")).build()).isInstanceOf(InputException.class)
                .hasMessageContaining("are the same");
    }

    private static byte[] draw(GenerationRequest.Builder request, int image) {
        return PIPELINE.generate(request.build(), Progress.NONE).get(image).rgb();
    }
}
