package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.Branch;
import jdiffusion.model.EmulatedCuda;
import jdiffusion.model.OnEmulatedDevice;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Hires;
import jdiffusion.model.family.Progress;
import jdiffusion.model.family.PromptWeights;
import jdiffusion.model.image.Picture;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SkipLayers;
import jdiffusion.model.sites.Experiment;
import jdiffusion.model.sites.Intervene;
import jdiffusion.model.sites.Probe;
import jdiffusion.model.sites.Site;
import jdiffusion.model.sites.Sites;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.stage.Offload;
import jdiffusion.model.synthetic.SyntheticFiles;
import jdiffusion.model.synthetic.SyntheticKind;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Looking at tensors of a run changes nothing, in any family; changing them changes what is said and no more. */
class ExperimentsTest {
    private static final CpuBackend CPU = new CpuBackend();
    private static final CpuBackend EXACT = new CpuBackend(2, Precision.F32);
    private static final Vocabularies ROWS = new Vocabularies(2000, 2000, 4000);

    @AfterAll
    static void close() {
        CPU.close();
        EXACT.close();
    }

    /** What is done with a small model of random numbers. */
    private interface Work {
        void with(Pipeline pipeline);
    }

    private static void model(String label, Backend backend, MemoryPolicy policy, Work work) {
        SyntheticKind kind = Families.synthetic(label);
        SyntheticModel model = kind.tiny(ROWS);
        Set<Component> parts = model.parts().keySet();
        try (SyntheticFiles files = new SyntheticFiles(model, parts, DType.F32, TestData.defaultModel());
                Pipeline pipeline = Pipeline.open(files, backend, policy)) {
            work.with(pipeline);
        }
    }

    private static GenerationRequest request(Pipeline pipeline, UnaryOperator<GenerationRequest.Builder> change) {
        var builder = pipeline.request("a red circle").toBuilder().negativePrompt("a blue square").size(64, 32)
                .steps(2).guidance(3).seed(3).resolutionBinning(false);
        return change.apply(pipeline.files().has(Component.T5) ? builder.t5Length(12) : builder).build();
    }

    private static List<byte[]> bytes(List<Picture> pictures) {
        return pictures.stream().map(Picture::rgb).toList();
    }

    private static void assertNothingChanges(Pipeline pipeline, GenerationRequest request) {
        List<byte[]> plain = bytes(pipeline.generate(request, Progress.NONE));
        Run run = pipeline.generate(request, List.of(Intervene.at("**").keep(), Probe.at("**").save()),
                Progress.NONE);
        assertThat(bytes(run.pictures())).containsExactlyElementsOf(plain);
        assertThat(run.recording().tensors()).isNotEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"sd35-medium", "sd3-medium", "sdxl", "flux-dev", "auraflow", "pixart-sigma"})
    void lookingEverywhereChangesNothing(String family) {
        model(family, CPU, MemoryPolicy.DEFAULT, pipeline -> {
            assertNothingChanges(pipeline, request(pipeline, b -> b));
            assertNothingChanges(pipeline, request(pipeline, b -> b.guidance(1).images(2)
                    .seeds(GenerationRequest.Seeds.ONE_DRAW).sampler(Sampler.Kind.HEUN)));
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"sd35-medium", "sdxl", "flux-dev", "auraflow", "pixart-sigma"})
    @OnEmulatedDevice
    void alsoOnADevice(String family) {
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, false)) {
            long before = cuda.allocatedBytes();
            // Streamed blocks on the one half of the families, all weights held on the other.
            MemoryPolicy policy = MemoryPolicy.of(family.length() % 2 == 0 ? Offload.SEQUENTIAL : Offload.NONE);
            model(family, cuda.backend(), policy, pipeline ->
                    assertNothingChanges(pipeline, request(pipeline, b -> b.size(32, 16).steps(1))));
            assertThat(cuda.allocatedBytes()).isEqualTo(before);
        }
    }

    @Test
    void guidanceWithSkippedLayersToo() {
        model("sd35-medium", CPU, MemoryPolicy.of(Offload.NONE), pipeline -> {
            GenerationRequest request = request(pipeline, b -> b.steps(3)
                    .skipLayers(new SkipLayers(List.of(1), 2.8f, 0.01f, 0.9f)));
            assertNothingChanges(pipeline, request);
            Run run = pipeline.generate(request, List.of(Probe.at("block.0").branch(Branch.SKIP).save()),
                    Progress.NONE);
            assertThat(run.recording().tensors()).containsOnlyKeys("step.001/skip/block.0.image",
                    "step.001/skip/block.0.context", "step.002/skip/block.0.image", "step.002/skip/block.0.context");
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"sd35-medium", "sdxl", "flux-dev", "auraflow", "pixart-sigma"})
    void theListIsWhatTheRunHas(String family) {
        model(family, CPU, MemoryPolicy.DEFAULT, pipeline -> {
            GenerationRequest request = request(pipeline, b -> b.steps(1).guidance(1));
            Sites sites = pipeline.experiments().sites(request);
            Run run = pipeline.generate(request, List.of(Probe.at("**").save()), Progress.NONE);
            Map<String, int[]> seen = run.recording().tensors().entrySet().stream().collect(Collectors.toMap(
                    e -> e.getKey().replaceAll("^(step.000/)?(cond/)?", ""), e -> e.getValue().shape().dims()));
            assertThat(seen.keySet()).containsExactlyInAnyOrderElementsOf(
                    sites.all().stream().map(Site::name).toList());
            sites.all().forEach(site -> assertThat(seen.get(site.name())).as(site.name())
                    .isEqualTo(site.shape().dims()));
            assertThat(sites.all().stream().filter(site -> !site.module().isEmpty())).isNotEmpty();
            assertThat(run.recording().tensors().values().stream().mapToLong(t -> t.byteSize()).sum())
                    .isEqualTo(sites.bytes(Probe.at("**").save()));
        });
    }

    private static Map<String, float[]> record(Pipeline pipeline, GenerationRequest request, Experiment change,
                                               String sites) {
        List<Experiment> experiments = change == null ? List.of(Probe.at(sites).save())
                : List.of(change, Probe.at(sites).save());
        return pipeline.generate(request, experiments, Progress.NONE).recording().tensors().entrySet().stream()
                .collect(Collectors.toMap(Map.Entry::getKey, e -> e.getValue().toArray()));
    }

    @ParameterizedTest
    @CsvSource({"sd35-medium,block.1,block.1.image.in,block.1.image", "flux-dev,single.0,single.0.in,single.0",
        "sdxl,block.1,block.1.image.in,block.1.image", "auraflow,block.0,block.0.context.in,block.0.context",
        "pixart-sigma,block.1,block.1.image.in,block.1.image"})
    void aBlockThatIsRemovedGivesWhatItGets(String family, String block, String in, String out) {
        model(family, CPU, MemoryPolicy.DEFAULT, pipeline -> {
            GenerationRequest request = request(pipeline, b -> b.steps(1));
            Map<String, float[]> plain = record(pipeline, request, null, "**");
            Map<String, float[]> run = record(pipeline, request,
                    Intervene.at(block).branch(Branch.COND).remove(), "**");
            assertThat(run.get("step.000/cond/" + out)).isEqualTo(run.get("step.000/cond/" + in))
                    .isEqualTo(plain.get("step.000/cond/" + in));
            assertThat(run.get("step.000/uncond/" + out)).isEqualTo(plain.get("step.000/uncond/" + out));
            assertThat(run.get("step.000/guided")).isNotEqualTo(plain.get("step.000/guided"));
        });
    }

    @Test
    void aBlockThatIsRepeatedReadsWhatItGave() {
        model("sd35-medium", CPU, MemoryPolicy.DEFAULT, pipeline -> {
            GenerationRequest request = request(pipeline, b -> b.steps(1));
            Map<String, float[]> plain = record(pipeline, request, null, "**");
            Map<String, float[]> twice = record(pipeline, request,
                    Intervene.at("block.1").branch(Branch.COND).repeat(2), "**");
            assertThat(twice.get("step.000/cond/block.1.image.in"))
                    .isEqualTo(plain.get("step.000/cond/block.1.image"));
            assertThat(twice.get("step.000/cond/block.1.image"))
                    .isNotEqualTo(plain.get("step.000/cond/block.1.image"));
            assertThat(twice.get("step.000/uncond/block.1.image"))
                    .isEqualTo(plain.get("step.000/uncond/block.1.image"));
            assertThat(record(pipeline, request, Intervene.at("block.*").repeat(1), "**").get("step.000/guided"))
                    .isEqualTo(plain.get("step.000/guided"));
        });
    }

    @Test
    void onlyWhatIsChosenIsChanged() {
        model("sd35-medium", EXACT, MemoryPolicy.DEFAULT, pipeline -> {
            GenerationRequest request = request(pipeline, b -> b);
            Site q = pipeline.experiments().sites(request).find("block.1.image.attn.q");
            int width = q.shape().cols() / q.heads();
            Map<String, float[]> plain = record(pipeline, request, null, "block.1.image.attn.q");
            Map<String, float[]> run = record(pipeline, request, Intervene.at("block.1.image.attn.q").steps(0)
                    .branch(Branch.COND).heads(1).area(0, 0, 17, 16).scale(2), "block.1.image.attn.q");
            float[] expected = plain.get("step.000/cond/block.1.image.attn.q").clone();
            for (int token : List.of(0, 1)) {
                for (int c = width; c < 2 * width; c++) {
                    expected[token * q.shape().cols() + c] *= 2;
                }
            }
            assertThat(q.shape().dims()).containsExactly(8, q.shape().cols());
            assertThat(run.get("step.000/cond/block.1.image.attn.q")).isEqualTo(expected);
            assertThat(run.get("step.000/uncond/block.1.image.attn.q"))
                    .isEqualTo(plain.get("step.000/uncond/block.1.image.attn.q"));
        });
    }

    @Test
    void vectorsAreAddedAndProjectedOut() {
        model("pixart-sigma", EXACT, MemoryPolicy.DEFAULT, pipeline -> {
            GenerationRequest request = request(pipeline, b -> b.steps(1));
            int width = pipeline.experiments().sites(request).find("block.0.image").shape().cols();
            float[] vector = new float[width];
            for (int i = 0; i < width; i++) {
                vector[i] = i % 5 - 2;
            }
            float[] plain = record(pipeline, request, null, "block.0.image").get("step.000/cond/block.0.image");
            float[] added = record(pipeline, request, Intervene.at("block.0.image").add(vector, 0.5f),
                    "block.0.image").get("step.000/cond/block.0.image");
            float[] out = record(pipeline, request, Intervene.at("block.0.image").project(vector),
                    "block.0.image").get("step.000/cond/block.0.image");
            double largest = 0;
            for (int row = 0; row < plain.length / width; row++) {
                double dot = 0;
                for (int i = 0; i < width; i++) {
                    assertThat(added[row * width + i]).isEqualTo(plain[row * width + i] + 0.5f * vector[i]);
                    dot += (double) out[row * width + i] * vector[i];
                }
                largest = Math.max(largest, Math.abs(dot));
            }
            double length = 0;
            for (float v : vector) {
                length += Math.abs(v);
            }
            double most = 0;
            for (float v : plain) {
                most = Math.max(most, Math.abs(v));
            }
            assertThat(largest).isLessThan(length * most * Math.ulp(1f));
            assertThatThrownBy(() -> pipeline.generate(request, List.of(Intervene.at("block.0.image")
                    .add(new float[3], 1)), Progress.NONE)).isInstanceOf(InputException.class)
                    .hasMessageContaining("the vector has 3 numbers, block.0.image is " + width + " wide");
        });
    }

    @Test
    void whatAnotherRunHadIsPutInItsPlace() {
        model("flux-dev", CPU, MemoryPolicy.DEFAULT, pipeline -> {
            GenerationRequest request = request(pipeline, b -> b.guidance(1));
            GenerationRequest other = request.toBuilder().prompt("a green star").build();
            Run recorded = pipeline.generate(other, List.of(Probe.at("embedded.context").save(),
                    Probe.at("conditioning").save()), Progress.NONE);
            Run replaced = pipeline.generate(request, List.of(
                    Intervene.at("embedded.context").replace(recorded.recording()),
                    Intervene.at("conditioning").replace(recorded.recording())), Progress.NONE);
            assertThat(bytes(replaced.pictures())).containsExactlyElementsOf(bytes(recorded.pictures()));
            Run swapped = pipeline.generate(request, List.of(Intervene.at("embedded.context").swap("a green star"),
                    Intervene.at("conditioning").swap("a green star")), Progress.NONE);
            assertThat(bytes(swapped.pictures())).containsExactlyElementsOf(bytes(recorded.pictures()));
            Run same = pipeline.generate(request, List.of(Intervene.at("embedded.context")
                    .mean(List.of("a red circle"))), Progress.NONE);
            assertThat(bytes(same.pictures()))
                    .containsExactlyElementsOf(bytes(pipeline.generate(request, Progress.NONE)));
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"sd35-medium", "sdxl", "pixart-sigma", "auraflow"})
    void theVectorThatConditionsBlocksIsChangedInEachStep(String family) {
        model(family, CPU, MemoryPolicy.DEFAULT, pipeline -> {
            GenerationRequest request = request(pipeline, b -> b.steps(3).sampler(Sampler.Kind.HEUN));
            float[] plain = pipeline.generate(request, List.of(), Progress.NONE).latents();
            Run zeroed = pipeline.generate(request, List.of(Intervene.at("conditioning").steps(1).scale(2)),
                    Progress.NONE);
            assertThat(zeroed.latents()).isNotEqualTo(plain);
            // Heun's third evaluation has the time of its second.
            Map<String, float[]> a = record(pipeline, request, Intervene.at("conditioning").steps(1).scale(2),
                    "conditioning");
            Map<String, float[]> b = record(pipeline, request, null, "conditioning");
            b.forEach((name, values) -> {
                if (!name.startsWith("step.001")) {
                    assertThat(a.get(name)).as(name).isEqualTo(values);
                }
            });
        });
    }

    @Test
    void wordsAndEncodersAreTokens() {
        try (Pipeline pipeline = Pipeline.open(TestData.defaultModel(), CPU)) {
            GenerationRequest request = pipeline.request("a red circle on a blue background").toBuilder().size(64, 64)
                    .steps(1).t5Length(32).build();
            Map<String, float[]> plain = record(pipeline, request, null, "embedded.context");
            String name = "step.000/cond/embedded.context";
            int rows = 77 + 32;
            int width = plain.get(name).length / rows;
            assertThat(changed(plain.get(name), record(pipeline, request, Intervene.at("embedded.context")
                    .word("red").encoder(Component.CLIP_L).scale(2), "embedded.context").get(name), width))
                    .containsExactly(2);
            List<Integer> red = changed(plain.get(name), record(pipeline, request,
                    Intervene.at("embedded.context").word("red").scale(2), "embedded.context").get(name), width);
            assertThat(red).startsWith(2).hasSizeGreaterThan(1);
            assertThat(red.subList(1, red.size())).allMatch(row -> row > 77 && row < 77 + 10);
            assertThat(changed(plain.get(name), record(pipeline, request, Intervene.at("embedded.context")
                    .encoder(Component.T5).scale(2), "embedded.context").get(name), width))
                    .hasSize(32).startsWith(77);
            assertThatThrownBy(() -> record(pipeline, request, Intervene.at("embedded.context").word("cat").zero(),
                    "embedded.context")).isInstanceOf(InputException.class)
                    .hasMessage("the prompt has no word \"cat\"; its words are a, red, circle, on, a, blue,"
                            + " background");
        }
    }

    /** Rows of which something differs. */
    private static List<Integer> changed(float[] a, float[] b, int width) {
        List<Integer> rows = new ArrayList<>();
        for (int row = 0; row < a.length / width; row++) {
            if (!Arrays.equals(Arrays.copyOfRange(a, row * width, (row + 1) * width),
                    Arrays.copyOfRange(b, row * width, (row + 1) * width))) {
                rows.add(row);
            }
        }
        return rows;
    }

    @ParameterizedTest
    @ValueSource(strings = {"sd35-medium", "flux-dev", "auraflow", "pixart-sigma"})
    void theLensEndsWithTheRunItself(String family) {
        model(family, CPU, MemoryPolicy.DEFAULT, pipeline -> {
            GenerationRequest request = request(pipeline, b -> b);
            Run plain = pipeline.generate(request, List.of(), Progress.NONE);
            LensView view = pipeline.experiments().lens(request, List.of(), Progress.NONE);
            assertThat(bytes(view.run().pictures())).containsExactlyElementsOf(bytes(plain.pictures()));
            assertThat(view.estimates()).containsOnlyKeys(0, 1);
            // The last step of Euler's method leads to the estimate, which the last block's is.
            float[] last = view.estimates().get(1).getLast();
            for (int i = 0; i < last.length; i++) {
                assertThat(last[i]).isCloseTo(plain.latents()[i], within(1e-3f * Math.max(1, Math.abs(last[i]))));
            }
            assertThat(view.estimates().get(1).getFirst()).isNotEqualTo(last);
            assertThat(view.estimates().get(0)).hasSameSizeAs(view.blocks());
        });
    }

    private static boolean join(Thread thread) {
        try {
            return thread.join(Duration.ofMinutes(1));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** Asks for one step at a time, and for so many of them. */
    private static final class Collector implements Flow.Subscriber<RunSteps.Step> {
        private final List<RunSteps.Step> steps = new ArrayList<>();
        private final CompletableFuture<List<RunSteps.Step>> end = new CompletableFuture<>();
        private final int most;
        private Flow.Subscription subscription;

        Collector(int most) {
            this.most = most;
        }

        @Override
        public void onSubscribe(Flow.Subscription given) {
            subscription = given;
            given.request(1);
        }

        @Override
        public void onNext(RunSteps.Step step) {
            steps.add(step);
            if (steps.size() == most) {
                subscription.cancel();
                end.complete(steps);
            }
            subscription.request(1);
        }

        @Override
        public void onError(Throwable error) {
            end.completeExceptionally(error);
        }

        @Override
        public void onComplete() {
            end.complete(steps);
        }
    }

    @Test
    void stepsArePublishedAsTheyAreDone() {
        model("sd35-medium", CPU, MemoryPolicy.DEFAULT, pipeline -> {
            GenerationRequest request = request(pipeline, b -> b.steps(3));
            Collector all = new Collector(9);
            new RunSteps(pipeline, request, List.of()).subscribe(all);
            List<RunSteps.Step> steps = all.end.join();
            assertThat(steps).extracting(RunSteps.Step::number).containsExactly(0, 1, 2);
            assertThat(steps.getLast().latents())
                    .isEqualTo(pipeline.generate(request, List.of(), Progress.NONE).latents());
            Collector wrong = new Collector(9);
            new RunSteps(pipeline, request, List.of(Probe.at("nowhere").save())).subscribe(wrong);
            assertThatThrownBy(wrong.end::join).hasCauseInstanceOf(InputException.class);
            Collector one = new Collector(1);
            new RunSteps(pipeline, request, List.of()).subscribe(one);
            assertThat(one.end.join()).hasSize(1);
            // The run ends after the evaluation that it is in; the model is closed then.
            for (Thread thread : Thread.getAllStackTraces().keySet()) {
                if (thread.getName().equals("steps")) {
                    assertThat(join(thread)).isTrue();
                }
            }
        });
    }

    @Test
    void aRunGoesOnFromRecordedLatents() {
        model("sd35-medium", CPU, MemoryPolicy.DEFAULT, pipeline -> {
            GenerationRequest request = request(pipeline, b -> b.steps(3));
            Run first = pipeline.generate(request, List.of(Probe.at("latents").steps(2).save()), Progress.NONE);
            Run other = pipeline.generate(request.toBuilder().seed(99).build(),
                    List.of(Intervene.at("latents").steps(2).replace(first.recording())), Progress.NONE);
            assertThat(other.latents()).isEqualTo(first.latents());
        });
    }

    @Test
    void aUnetHasNoLens() {
        model("sdxl", CPU, MemoryPolicy.DEFAULT, pipeline -> assertThatThrownBy(() -> pipeline.experiments().lens(
                request(pipeline, b -> b), List.of(), Progress.NONE)).isInstanceOf(InputException.class)
                .hasMessageContaining("this denoiser is a UNet"));
    }

    @Test
    void mistakesAreNamed() {
        model("sd35-medium", CPU, MemoryPolicy.DEFAULT, pipeline -> {
            GenerationRequest request = request(pipeline, b -> b);
            refused(pipeline, request, Intervene.at("block.99.image").zero(), "there is no site block.99.image; there"
                    + " are block.N.image.in");
            refused(pipeline, request, Intervene.at("block.0").steps(7).zero(), "step 7 is not there: this run has 2"
                    + " evaluations of the denoiser, 0 to 1");
            refused(pipeline, request, Intervene.at("block.0").branch(Branch.SKIP).zero(), "there is no branch skip in"
                    + " this run, which has cond, uncond; give guidance and skipped layers");
            refused(pipeline, request, Intervene.at("block.0.image").heads(0).zero(), "block.0.image has no heads");
            refused(pipeline, request, Intervene.at("block.0.image.attn.q").heads(99).zero(), "head 99 is not there");
            refused(pipeline, request, Intervene.at("block.0.context").tokens(500).zero(), "token 500 is not there");
            refused(pipeline, request, Intervene.at("block.0.image").area(0, 0, 65, 1).zero(), "reaches beyond the"
                    + " picture of 64x32");
            refused(pipeline, request, Intervene.at("block.0.context").area(0, 0, 8, 8).zero(), "is no part of the"
                    + " picture");
            refused(pipeline, request, Intervene.at("latents").branch(Branch.COND).zero(), "latents is the same for"
                    + " all guidance branches");
            refused(pipeline, request, Intervene.at("vae.decoder.mid").steps(0).zero(), "computed once");
            refused(pipeline, request, Intervene.at("conditioning").remove(), "is no block's output");
            refused(pipeline, request, Intervene.at("block.0.image").remove(), "only a part of block.0");
            refused(pipeline, request, Intervene.at("a..b").zero(), "is no name of a site");
            refused(pipeline, request.toBuilder().hires(new Hires(128, 64, 0.5f, 0, Hires.Upscaler.LATENT)).build(),
                    Intervene.at("block.0").zero(), "an experiment is on one pass");
            refused(pipeline, request.toBuilder().methods(request.methods().withWeights(PromptWeights.A1111)).build(),
                    Intervene.at("embedded.context").word("red").zero(), "with prompt weights the encoders read");
        });
    }

    private static void refused(Pipeline pipeline, GenerationRequest request, Experiment experiment, String why) {
        assertThatThrownBy(() -> pipeline.generate(request, List.of(experiment), Progress.NONE))
                .isInstanceOf(InputException.class).hasMessageContaining(why);
    }
}
