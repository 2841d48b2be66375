package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.EmulatedCuda;
import jdiffusion.model.OnEmulatedDevice;
import jdiffusion.model.TestData;
import jdiffusion.model.cache.StepCache;
import jdiffusion.model.experiment.SavedStepsFile;
import jdiffusion.model.family.BranchPoint;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.family.SavedSteps;
import jdiffusion.model.guidance.Guiders;
import jdiffusion.model.image.Picture;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sites.Intervene;
import jdiffusion.model.sites.Probe;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A run that leaves another on the way comes to that point with the same latents. */
class BranchTest {
    private static final int STEPS = 6;
    private static final int AT = 4;

    @TempDir
    private Path folder;
    private static Backend backend;
    private static Pipeline pipeline;

    @BeforeAll
    static void open() {
        backend = new CpuBackend(2, Precision.F32);
        pipeline = Pipeline.open(TestData.defaultModel(), backend);
    }

    @AfterAll
    static void close() {
        pipeline.close();
        backend.close();
    }

    /** Latents after each step, and the last. */
    private static final class Latents implements Progress {
        final List<float[]> all = new ArrayList<>();
        final SavedSteps.Keeper keeper = new SavedSteps.Keeper();

        @Override
        public void see(String name, Supplier<float[]> values) {
            keeper.see(name, values);
        }

        @Override
        public void predicted(Supplier<float[]> prediction) {
            keeper.predicted(prediction);
        }

        @Override
        public void step(int done, Supplier<float[]> latents) {
            all.add(latents.get());
        }
    }

    private static GenerationRequest.Builder request() {
        return pipeline.request("a red circle").toBuilder().size(64, 48).steps(STEPS).seed(3).t5Length(16);
    }

    private static Latents run(Pipeline of, GenerationRequest request) {
        Latents latents = new Latents();
        of.check(request);
        of.denoise(request, of.encode(request, Progress.NONE), latents);
        return latents;
    }

    private static SavedSteps saved(Pipeline of, GenerationRequest request, Latents run) {
        return run.keeper.saved(request.sampler(), of.sigmas(request), of.firstEvaluation(request));
    }

    private static GenerationRequest branch(GenerationRequest request, SavedSteps steps, int at) {
        return request.toBuilder().methods(request.methods().withBranch(new BranchPoint(steps, at))).build();
    }

    @ParameterizedTest
    @EnumSource
    void goesOnAsTheOtherRunDid(Sampler.Kind sampler) {
        GenerationRequest request = request().sampler(sampler).build();
        Latents whole = run(pipeline, request);
        SavedSteps steps = saved(pipeline, request, whole);
        Latents branch = run(pipeline, branch(request, steps, AT));
        assertThat(branch.all).hasSameSizeAs(whole.all);
        for (int i = 0; i < whole.all.size(); i++) {
            assertThat(branch.all.get(i)).as("step %d", i).isEqualTo(whole.all.get(i));
        }
        GenerationRequest other = request.toBuilder().prompt("a blue square").guidance(2).build();
        Latents changed = run(pipeline, branch(other, steps, AT));
        assertThat(changed.all.get(AT - 1)).isEqualTo(whole.all.get(AT - 1));
        assertThat(changed.all.get(AT)).isNotEqualTo(whole.all.get(AT));
    }

    @Test
    void fromAPictureWithAMaskThroughAFile() {
        Picture init = new Picture(64, 48, new byte[3 * 64 * 48]);
        byte[] half = new byte[3 * 64 * 48];
        Arrays.fill(half, 0, half.length / 2, (byte) 255);
        GenerationRequest request = request().init(init, 0.8).mask(new Picture(64, 48, half)).images(2)
                .seeds(GenerationRequest.Seeds.ONE_DRAW).build();
        Latents whole = run(pipeline, request);
        Path file = folder.resolve("steps.safetensors");
        SavedStepsFile.write(file, saved(pipeline, request, whole));
        Latents branch = run(pipeline, branch(request, SavedStepsFile.read(file), 2));
        assertThat(branch.all.getLast()).isEqualTo(whole.all.getLast());
    }

    /** What is not computed is not asked of the network; memory is what was planned. */
    @Test
    @OnEmulatedDevice
    void onADevice() {
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, false);
                Pipeline of = Pipeline.open(TestData.defaultModel(), cuda.backend())) {
            GenerationRequest request = of.request("a red circle").toBuilder().size(32, 32).steps(3).seed(3)
                    .t5Length(9).build();
            Latents whole = run(of, request);
            GenerationRequest again = branch(request, saved(of, request, whole), 2);
            List<Object> taken = new ArrayList<>();
            List<float[]> last = new ArrayList<>();
            of.generate(again, new Progress() {
                @Override
                public void used(Progress.Stage stage, StageMemory memory) {
                    taken.add(memory);
                }

                @Override
                public void step(int done, Supplier<float[]> latents) {
                    last.add(latents.get());
                }
            });
            assertThat(last.getLast()).isEqualTo(whole.all.getLast());
            assertThat(taken).isEqualTo(List.copyOf(of.plan(again).stages()));
        }
    }

    @Test
    void experimentsActOnTheStepsOfItsOwn() {
        GenerationRequest request = request().build();
        SavedSteps steps = saved(pipeline, request, run(pipeline, request));
        GenerationRequest branch = branch(request, steps, AT);
        var zero = Intervene.at("block.1.image").steps(AT).zero();
        float[] whole = pipeline.generate(request, List.of(zero), Progress.NONE).latents();
        assertThat(pipeline.generate(branch, List.of(zero), Progress.NONE).latents()).isEqualTo(whole);
        assertThatThrownBy(() -> pipeline.generate(branch, List.of(Probe.at("block.1.image").steps(1).save()),
                Progress.NONE)).isInstanceOf(InputException.class).hasMessageContainingAll("0 to 3", "from 4 on");
    }

    @Test
    void whatDoesNotFitIsNamed() throws Exception {
        GenerationRequest request = request().build();
        SavedSteps steps = saved(pipeline, request, run(pipeline, request));
        refused(branch(request, steps, 7), "after step 7", "steps 1 to 6");
        refused(branch(request().sampler(Sampler.Kind.DPMPP_2M).build(), steps, 2), "EULER", "DPMPP_2M");
        refused(branch(request().steps(9).build(), steps, 2), "noise level", "before step 2");
        refused(branch(request().seed(4).build(), steps, 2), "other latents", "seed");
        refused(branch(request().size(48, 48).build(), steps, 2), "other latents");
        refused(branch(request().images(2).build(), steps, 2), "one draw");
        GenerationRequest cached = request().build();
        refused(branch(cached.toBuilder().methods(cached.methods().withCache(StepCache.of("--cache", "taylor(2)"),
                false)).build(), steps, 2), "taylor");
        refused(branch(cached.toBuilder().methods(cached.methods().withGuiders(
                Guiders.of("--guiders", "apg(momentum=-0.5)"))).build(), steps, 2), "apg");
        Path none = Files.writeString(folder.resolve("none.safetensors"), "x");
        assertThatThrownBy(() -> SavedStepsFile.read(none)).isInstanceOf(InputException.class)
                .hasMessageContaining("none.safetensors");
        assertThatThrownBy(() -> SavedStepsFile.read(TestData.defaultModel().resolve(
                "transformer/diffusion_pytorch_model.safetensors"))).isInstanceOf(InputException.class)
                .hasMessageContaining("--keep-steps");
    }

    private static void refused(GenerationRequest request, String... words) {
        assertThatThrownBy(() -> run(pipeline, request)).isInstanceOf(InputException.class)
                .hasMessageContainingAll(words);
    }
}
