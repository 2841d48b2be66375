package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.EmulatedCuda;
import jdiffusion.model.OnEmulatedDevice;
import jdiffusion.model.cache.StepCache;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.GenerationRequest.Builder;
import jdiffusion.model.family.MicroConditioning;
import jdiffusion.model.family.Progress;
import jdiffusion.model.family.PromptWeights;
import jdiffusion.model.family.TextOptions;
import jdiffusion.model.guidance.Guiders;
import jdiffusion.model.image.Picture;
import jdiffusion.model.sampling.NoiseSource;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SkipLayers;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.stage.Offload;
import jdiffusion.model.stage.StageMemory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests that are denoised together get what each gets alone. */
class BatchOfRequestsTest {
    private static final int STEPS = 5;

    @TempDir
    private static Path folder;
    private static Backend backend;

    @BeforeAll
    static void open() {
        backend = new CpuBackend(2, Precision.F32);
    }

    @AfterAll
    static void close() {
        backend.close();
    }

    private static Pipeline pipeline(String kind, Backend on) {
        Path made = folder.resolve(kind);
        return Pipeline.open(Families.open(Files.exists(made) ? made : TinyModels.write(kind, folder),
                ModelSources.NONE), on, MemoryPolicy.of(Offload.NONE));
    }

    private static Builder request(Pipeline pipeline) {
        return TinyModels.request(pipeline).size(64, 64).steps(STEPS).negativePrompt("blurry").guidance(4)
                .resolutionBinning(false);
    }

    /** Three that differ in all that is allowed to differ. */
    private static List<GenerationRequest> three(Pipeline pipeline, UnaryOperator<Builder> like) {
        GenerationRequest first = like.apply(request(pipeline)).seed(7).build();
        Builder second = first.toBuilder().prompt("two blue squares, large").negativePrompt("").seed(-1);
        Builder third = first.toBuilder().prompt("").seed(12345678901L);
        if (!first.embedded().needsNegative()) {
            third.negativePrompt(null);
        }
        if (pipeline.family().label().contains("XL")) {
            second.micro(new MicroConditioning(new MicroConditioning.Pair(512, 768), null, null, null, null,
                    null, 6, 2.5f));
        }
        if (first.embedded().isThere()) {
            third.embeddedGuidance(7);
        }
        return List.of(first, second.build(), third.build());
    }

    private static List<List<Conditioning>> encode(Pipeline pipeline, List<GenerationRequest> requests) {
        return requests.stream().map(request -> pipeline.encode(request, Progress.NONE)).toList();
    }

    private static void check(String what, Pipeline pipeline, List<GenerationRequest> requests,
                              List<List<Conditioning>> prompts) {
        requests.forEach(pipeline::check);
        List<float[]> together = pipeline.denoise(requests, prompts, Progress.NONE);
        assertThat(together).hasSameSizeAs(requests);
        for (int i = 0; i < requests.size(); i++) {
            assertThat(together.get(i)).as(what + ", " + i)
                    .isEqualTo(pipeline.denoise(requests.get(i), prompts.get(i), Progress.NONE));
        }
        assertThat(together.get(0)).isNotEqualTo(together.get(1));
        assertThat(together.get(1)).isNotEqualTo(together.get(2));
    }

    private static UnaryOperator<Builder> guiders(String guiders) {
        return request -> request.guiders(Guiders.of("--guiders", guiders));
    }

    private static UnaryOperator<Builder> cache(String cache) {
        return request -> {
            GenerationRequest one = request.build();
            return request.methods(one.methods().withCache(StepCache.of("--cache", cache), false));
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"sd35-medium", "sdxl", "flux-dev", "auraflow", "pixart-sigma"})
    void eachGetsWhatItGetsAlone(String kind) {
        try (Pipeline pipeline = pipeline(kind, backend)) {
            Map<String, UnaryOperator<Builder>> ways = new TreeMap<>();
            ways.put("guided", request -> request);
            ways.put("unguided", request -> request.guidance(1));
            ways.put("ancestral", request -> request.sampler(Sampler.Kind.EULER_ANCESTRAL));
            ways.put("sde", request -> request.sampler(Sampler.Kind.DPMPP_2M_SDE).guidance(0));
            ways.put("heun", request -> request.sampler(Sampler.Kind.HEUN));
            ways.put("unipc", request -> request.sampler(Sampler.Kind.UNIPC));
            ways.put("philox", request -> request.sampler(Sampler.Kind.LCM).methods(request.build().methods()
                    .withNoise(NoiseSource.PHILOX)));
            ways.put("apg", guiders("apg(eta=0.3,limit=0.5,momentum=-0.5), rescale(0.7), interval(0.2, 0.8)"));
            ways.put("cfg-zero", guiders("cfg-zero(1)"));
            ways.put("fdg", guiders("fdg(3,1)"));
            ways.put("taylor", cache("taylor(2,warmup=1)"));
            if (pipeline.denoiserConfig().reusesBlocks()) {
                ways.put("first-block", cache("first-block(0.4)"));
            }
            if (pipeline.denoiserConfig().attentions() > 0) {
                String layers = pipeline.denoiserConfig().usualAttentions().isEmpty() ? ",layers=1-2" : "";
                ways.put("pag", guiders("pag(scale=2,start=0,stop=1" + layers + "), tcfg"));
                ways.put("seg", guiders("seg(scale=2,sigma=1" + layers + "), mag"));
                ways.put("seg without guidance", request -> guiders("seg(scale=2" + layers + ")").apply(request)
                        .guidance(1));
            }
            if (pipeline.denoiserConfig().layers() > 0) {
                ways.put("skipped layers", request -> request.skipLayers(new SkipLayers(List.of(1), 2.8f, 0, 1)));
            }
            List<List<Conditioning>> guided = encode(pipeline, three(pipeline, request -> request));
            List<List<Conditioning>> unguided = guided.stream().map(both -> both.subList(1, 2)).toList();
            ways.forEach((what, way) -> {
                List<GenerationRequest> requests = three(pipeline, way);
                check(what, pipeline, requests, requests.getFirst().guided() ? guided : unguided);
            });
        }
    }

    /** Entries whose cache acts at other steps than their neighbours' do. */
    @Test
    void aCacheActsOnEachByItself() {
        try (Pipeline pipeline = pipeline("sd35-medium", backend)) {
            List<GenerationRequest> requests = three(pipeline, request -> cache("first-block(0.3)")
                    .apply(request.steps(8).size(64, 48)));
            check("first-block", pipeline, requests, encode(pipeline, requests));
        }
    }

    @Test
    @OnEmulatedDevice
    void onADevice() {
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, false);
                Pipeline pipeline = pipeline("sd35-medium", cuda.backend())) {
            List<GenerationRequest> requests = three(pipeline, request -> request.steps(2).size(32, 32)
                    .sampler(Sampler.Kind.EULER_ANCESTRAL));
            check("emulated", pipeline, requests, encode(pipeline, requests));
        }
    }

    /** Texts that are read together, some of them several times, in one request or in several, with weights or not. */
    @ParameterizedTest
    @ValueSource(strings = {"sd35-medium", "sdxl", "flux-dev", "auraflow", "pixart-sigma"})
    void textsAreEncodedTogether(String kind) {
        try (Pipeline held = pipeline(kind, backend);
                Pipeline pipeline = held.withPolicy(MemoryPolicy.DEFAULT)) {
            GenerationRequest first = request(pipeline).build();
            List<GenerationRequest> requests = new ArrayList<>(three(pipeline, request -> request));
            requests.add(first.toBuilder().prompt("blurry").negativePrompt("blurry").build());
            requests.add(first.toBuilder().guidance(1).build());
            if (!kind.equals("sdxl")) {
                requests.add(first.toBuilder().t5Length(7).build());
            }
            if (!kind.equals("auraflow") && !kind.equals("pixart-sigma")) {
                requests.add(first.toBuilder().text(new TextOptions(kind.equals("sd35-medium") ? null : "a cat", null,
                        kind.equals("flux-dev") ? 0 : 1)).build());
            }
            for (PromptWeights weights : List.of(PromptWeights.A1111, PromptWeights.COMFYUI)) {
                GenerationRequest weighted = first.toBuilder().prompt("a (red:1.3) circle " + "and more ".repeat(
                        80)).methods(first.methods().withWeights(weights)).build();
                requests.add(weighted);
                requests.add(weighted);
            }
            List<List<Conditioning>> together = pipeline.encode(requests, Progress.NONE);
            List<StageMemory> most = pipeline.plan(first).stages();
            for (int i = 0; i < requests.size(); i++) {
                List<Conditioning> alone = pipeline.encode(requests.get(i), Progress.NONE);
                assertThat(together.get(i)).hasSameSizeAs(alone);
                for (int k = 0; k < alone.size(); k++) {
                    Conditioning own = together.get(i).get(k);
                    assertThat(own.shapes()).isEqualTo(alone.get(k).shapes());
                    alone.get(k).tensors().forEach((name, tensor) -> assertThat(own.get(name).toArray()).as(name)
                            .isEqualTo(tensor.toArray()));
                }
            }
            List<StageMemory> used = new ArrayList<>();
            pipeline.encode(requests.subList(0, 4), new Progress() {
                @Override
                public void used(Stage stage, StageMemory memory) {
                    used.add(memory);
                }
            });
            // Each encoder once, with the memory of one request.
            assertThat(used).isEqualTo(most.subList(0, used.size()));
        }
    }

    /** A text that is cut is told of once. */
    @Test
    void eachTextIsReadOnce() {
        try (Pipeline pipeline = pipeline("sdxl", backend)) {
            GenerationRequest one = request(pipeline).negativePrompt("a very long text ".repeat(40)).build();
            List<String> notes = new ArrayList<>();
            pipeline.encode(List.of(one, one.toBuilder().prompt("a circle").build()), new Progress() {
                @Override
                public void note(String line) {
                    notes.add(line);
                }
            });
            // By each of the two encoders.
            assertThat(notes).hasSize(2);
        }
    }

    /** With weights a prompt may be longer than another's. */
    @Test
    void longerTextsGoByThemselves() {
        try (Pipeline pipeline = pipeline("sd35-medium", backend)) {
            GenerationRequest one = request(pipeline).methods(request(pipeline).build().methods()
                    .withWeights(PromptWeights.A1111)).build();
            List<GenerationRequest> requests = List.of(one, one.toBuilder().prompt("and more ".repeat(80)).build());
            List<List<Conditioning>> prompts = pipeline.encode(requests, Progress.NONE);
            BatchKey key = pipeline.batchKey(one);
            assertThat(key).isEqualTo(pipeline.batchKey(requests.getLast()));
            assertThat(key.with(prompts.getFirst())).isEqualTo(pipeline.batchKey(one).with(prompts.getFirst()))
                    .isNotEqualTo(key.with(prompts.getLast()));
            assertThatThrownBy(() -> pipeline.denoise(requests, prompts, Progress.NONE))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("differ in shape");
        }
    }

    @Test
    void progressIsThatOfOneDraw() {
        try (Pipeline pipeline = pipeline("sd35-medium", backend)) {
            List<GenerationRequest> requests = three(pipeline, request -> request.size(64, 48));
            List<List<Conditioning>> prompts = encode(pipeline, requests);
            List<Integer> steps = new ArrayList<>();
            List<Integer> sizes = new ArrayList<>();
            List<StageMemory> used = new ArrayList<>();
            int[] total = {0};
            List<float[]> latents = pipeline.denoise(requests, prompts, new Progress() {
                @Override
                public void started(Stage stage, int evaluations) {
                    total[0] = evaluations;
                }

                @Override
                public void step(int done, Supplier<float[]> now) {
                    steps.add(done);
                    sizes.add(now.get().length);
                }

                @Override
                public void used(Stage stage, StageMemory memory) {
                    used.add(memory);
                }
            });
            assertThat(total[0]).isEqualTo(STEPS);
            assertThat(steps).containsExactly(1, 2, 3, 4, 5);
            assertThat(sizes).containsOnly(3 * latents.getFirst().length);
            // The plan of as many pictures in one draw is of the same memory.
            List<StageMemory> planned = pipeline.plan(requests.getFirst().toBuilder().images(3)
                    .seeds(GenerationRequest.Seeds.ONE_DRAW).build(), false).stages();
            assertThat(planned.getFirst()).isEqualTo(used.getFirst());
        }
    }

    @Test
    void cancellingEndsAllOfThem() {
        try (Pipeline pipeline = pipeline("sd35-medium", backend)) {
            List<GenerationRequest> requests = three(pipeline, request -> request);
            int[] steps = {0};
            assertThatThrownBy(() -> pipeline.denoise(requests, encode(pipeline, requests), new Progress() {
                @Override
                public void step(int done, Supplier<float[]> now) {
                    steps[0] = done;
                }

                @Override
                public boolean cancelled() {
                    return steps[0] == 2;
                }
            })).isInstanceOf(CancellationException.class);
            assertThat(steps[0]).isEqualTo(2);
        }
    }

    @Test
    void aKeySaysWhatGoesTogether() {
        try (Pipeline pipeline = pipeline("sd35-medium", backend)) {
            GenerationRequest one = request(pipeline).build();
            List<GenerationRequest> all = three(pipeline, request -> request);
            assertThat(all.stream().map(pipeline::batchKey).distinct()).hasSize(1);
            assertThat(pipeline.batchKey(one)).isNotNull()
                    .isNotEqualTo(pipeline.batchKey(one.toBuilder().guidance(1).build()))
                    .isNotEqualTo(pipeline.batchKey(one.toBuilder().guidance(5).build()))
                    .isNotEqualTo(pipeline.batchKey(one.toBuilder().size(64, 48).build()))
                    .isNotEqualTo(pipeline.batchKey(one.toBuilder().steps(3).build()))
                    .isNotEqualTo(pipeline.batchKey(one.toBuilder().t5Length(16).build()))
                    .isNotEqualTo(pipeline.batchKey(one.toBuilder().sampler(Sampler.Kind.EULER_ANCESTRAL).build()))
                    .isNotEqualTo(pipeline.batchKey(guiders("mag").apply(one.toBuilder()).build()))
                    .isNotEqualTo(pipeline.batchKey(cache("taylor(4)").apply(one.toBuilder()).build()));
            assertThat(pipeline.batchKey(one.toBuilder().images(2).build())).isNull();
            assertThat(pipeline.batchKey(one.toBuilder().init(new Picture(64, 64, new byte[3 * 64 * 64]), 0.5)
                    .build())).isNull();
            assertThat(pipeline.batchKey(one.toBuilder().methods(one.methods().withCache(
                    StepCache.of("--cache", "taylor(4)"), true)).build())).isNull();
            List<GenerationRequest> mixed = List.of(one, one.toBuilder().steps(3).build());
            assertThatThrownBy(() -> pipeline.denoise(mixed, encode(pipeline, mixed), Progress.NONE))
                    .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("cannot be denoised together");
        }
    }
}
