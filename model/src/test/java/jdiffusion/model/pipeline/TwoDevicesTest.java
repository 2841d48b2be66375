package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.DeviceException;
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
import jdiffusion.model.family.Progress;
import jdiffusion.model.family.SkippedEvaluation;
import jdiffusion.model.guidance.Guiders;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.stage.Offload;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The two branches of guidance on two devices: the numbers of one. */
class TwoDevicesTest {
    private static final int STEPS = 4;

    @TempDir
    private static Path folder;
    private static Backend first;
    private static Backend second;

    @BeforeAll
    static void open() {
        first = new CpuBackend(1, Precision.F32);
        second = new CpuBackend(1, Precision.F32);
    }

    @AfterAll
    static void close() {
        second.close();
        first.close();
    }

    private static Pipeline pipeline(String kind, Backend on, Offload offload) {
        Path made = folder.resolve(kind);
        return Pipeline.open(Families.open(Files.exists(made) ? made : TinyModels.write(kind, folder),
                ModelSources.NONE), on, MemoryPolicy.of(offload));
    }

    private static Builder request(Pipeline pipeline) {
        return TinyModels.request(pipeline).size(64, 64).steps(STEPS).negativePrompt("blurry").guidance(4).seed(5)
                .resolutionBinning(false);
    }

    private static UnaryOperator<Builder> cache(String cache, boolean report) {
        return request -> request.methods(request.build().methods().withCache(StepCache.of("--cache", cache), report));
    }

    private static int runs(Backend of, Runnable work) {
        long before = of.work().linear();
        work.run();
        return of.work().linear() > before ? 1 : 0;
    }

    @ParameterizedTest
    @ValueSource(strings = {"sd35-medium", "sdxl", "flux-dev", "auraflow", "pixart-sigma"})
    void theNumbersAreThoseOfOne(String kind) {
        try (Pipeline one = pipeline(kind, first, Offload.NONE); Pipeline two = one.withSecond(second)) {
            Map<String, UnaryOperator<Builder>> ways = new TreeMap<>();
            ways.put("guided", request -> request);
            ways.put("ancestral", request -> request.sampler(Sampler.Kind.EULER_ANCESTRAL));
            ways.put("heun", request -> request.sampler(Sampler.Kind.HEUN));
            ways.put("interval", request -> request.guiders(Guiders.of("", "apg(momentum=-0.5), interval(0.3,0.8)")));
            ways.put("cfg-zero", request -> request.guiders(Guiders.of("", "cfg-zero(1), rescale(0.5)")));
            ways.put("one draw", request -> request.images(2).seeds(GenerationRequest.Seeds.ONE_DRAW));
            ways.put("two draws", request -> request.images(2));
            ways.put("taylor", cache("taylor(2,warmup=1)", false));
            if (one.denoiserConfig().reusesBlocks()) {
                ways.put("first-block", request -> cache("first-block(0.4)", false).apply(request).images(2));
            }
            if (one.denoiserConfig().attentions() > 0) {
                String layers = one.denoiserConfig().usualAttentions().isEmpty() ? ",layers=1-2" : "";
                ways.put("pag", request -> request.guiders(Guiders.of("", "pag(start=0,stop=1" + layers + ")")));
            }
            if (one.denoiserConfig().layers() > 0) {
                ways.put("auto", request -> request.guiders(Guiders.of("", "auto(layers=1)")));
            }
            List<Conditioning> prompts = one.encode(request(one).build(), Progress.NONE);
            ways.forEach((what, way) -> {
                GenerationRequest request = way.apply(request(one)).build();
                two.check(request);
                float[] expected = one.denoise(request, prompts, Progress.NONE);
                int[] ran = {0};
                ran[0] = runs(second, () -> assertThat(two.denoise(request, prompts, Progress.NONE)).as(what)
                        .isEqualTo(expected));
                assertThat(ran[0]).as(what).isEqualTo(1);
            });
            GenerationRequest unguided = request(one).guidance(1).build();
            assertThat(runs(second, () -> assertThat(two.denoise(unguided, prompts.subList(1, 2), Progress.NONE))
                    .isEqualTo(one.denoise(unguided, prompts.subList(1, 2), Progress.NONE)))).isZero();
        }
    }

    @Test
    void requestsOfABatchToo() {
        try (Pipeline one = pipeline("sd35-medium", first, Offload.STAGES); Pipeline two = one.withSecond(second)) {
            List<GenerationRequest> requests = List.of(request(one).build(), request(one).prompt("two squares").seed(6)
                    .build());
            List<List<Conditioning>> prompts = two.encode(requests, Progress.NONE);
            List<float[]> together = two.denoise(requests, prompts, Progress.NONE);
            for (int i = 0; i < 2; i++) {
                assertThat(together.get(i)).isEqualTo(one.denoise(requests.get(i), prompts.get(i),
                        Progress.NONE));
            }
        }
    }

    @Test
    void whatACacheSavesIsToldOfBoth() {
        try (Pipeline one = pipeline("sd35-medium", first, Offload.STAGES); Pipeline two = one.withSecond(second)) {
            GenerationRequest request = cache("taylor(2,warmup=1)", true).apply(request(one)).build();
            List<String> expected = skipped(one, request);
            assertThat(expected).isNotEmpty();
            assertThat(skipped(two, request)).isEqualTo(expected);
        }
    }

    private static List<String> skipped(Pipeline pipeline, GenerationRequest request) {
        List<String> all = new ArrayList<>();
        pipeline.denoise(request, pipeline.encode(request, Progress.NONE), new Progress() {
            @Override
            public void skipped(int evaluation, SkippedEvaluation what) {
                all.add(evaluation + " " + what.branch() + " " + what.error());
            }
        });
        return all;
    }

    @Test
    @OnEmulatedDevice
    void onEmulatedDevices() {
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, false, 2)) {
            long free = cuda.allocatedBytes();
            GenerationRequest request;
            float[] expected;
            try (Pipeline one = pipeline("sd35-medium", cuda.backend(), Offload.SEQUENTIAL)) {
                request = request(one).size(32, 32).steps(2).build();
                expected = one.denoise(request, one.encode(request, Progress.NONE), Progress.NONE);
                assertThat(cuda.second().launches()).isZero();
            }
            try (Pipeline two = pipeline("sd35-medium", cuda.backend(), Offload.SEQUENTIAL).withSecond(cuda.second())) {
                List<StageMemory> used = new ArrayList<>();
                Progress progress = new Progress() {
                    @Override
                    public void used(Stage stage, StageMemory memory) {
                        used.add(memory);
                    }
                };
                two.hold(request);
                assertThat(two.denoise(request, two.encode(request, progress), progress)).isEqualTo(expected);
                assertThat(cuda.second().launches()).isPositive();
                assertThat(two.plan(request).stages().subList(0, used.size())).isEqualTo(used);
                StageMemory here = used.get(used.size() - 2);
                StageMemory there = used.getLast();
                assertThat(here.name()).isEqualTo("transformer");
                assertThat(there.name()).isEqualTo("transformer (second device)");
                assertThat(there.weights()).isEqualTo(here.weights()).isPositive();
                assertThat(cuda.peakBytes(1)).isEqualTo(there.peak());
            }
            assertThat(cuda.allocatedBytes()).isEqualTo(free);
        }
    }

    /** The second device fails at its third attention. */
    @Test
    void afterAFailureAllIsGivenBack() {
        AtomicInteger calls = new AtomicInteger();
        Backend broken = (Backend) Proxy.newProxyInstance(Backend.class.getClassLoader(), new Class<?>[] {Backend.class},
                (_, method, arguments) -> {
                    if (method.getName().equals("attention") && calls.incrementAndGet() == 3) {
                        throw new DeviceException("cuda:1: it is gone");
                    }
                    try {
                        return method.invoke(second, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
        try (Pipeline pipeline = pipeline("sd35-medium", first, Offload.STAGES).withSecond(broken)) {
            GenerationRequest request = request(pipeline).build();
            List<Conditioning> prompts = pipeline.encode(request, Progress.NONE);
            long before = first.memory().live() + second.memory().live();
            assertThatThrownBy(() -> pipeline.denoise(request, prompts, Progress.NONE))
                    .isInstanceOf(DeviceException.class).hasMessage("cuda:1: it is gone");
            assertThat(first.memory().live() + second.memory().live()).isEqualTo(before);
            // It works again afterwards, and ends when it is told to.
            pipeline.denoise(request, prompts, Progress.NONE);
            assertThatThrownBy(() -> pipeline.denoise(request, prompts, new Progress() {
                @Override
                public boolean cancelled() {
                    return true;
                }
            })).isInstanceOf(CancellationException.class);
        }
    }

    @Test
    void experimentsLookAtOneDevice() {
        try (Pipeline pipeline = pipeline("sd35-medium", first, Offload.STAGES).withSecond(second)) {
            assertThatThrownBy(() -> pipeline.generate(request(pipeline).build(), List.of(), Progress.NONE))
                    .isInstanceOf(InputException.class).hasMessageContaining("leave the second one out");
        }
    }
}
