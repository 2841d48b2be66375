package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.Branch;
import jdiffusion.model.EmulatedCuda;
import jdiffusion.model.OnEmulatedDevice;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.experiment.Interventions;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.sites.Attend;
import jdiffusion.model.sites.Attention;
import jdiffusion.model.sites.Edit;
import jdiffusion.model.sites.Experiment;
import jdiffusion.model.sites.Intervene;
import jdiffusion.model.sites.Probe;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.synthetic.SyntheticFiles;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Attention that is looked at is that of a naive softmax, and the picture is the same; keys that are masked are gone. */
class AttentionExperimentsTest {
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

    private static void model(String label, Backend backend, Work work) {
        SyntheticModel model = Families.synthetic(label).tiny(ROWS);
        Set<Component> parts = model.parts().keySet();
        try (SyntheticFiles files = new SyntheticFiles(model, parts, DType.F32, TestData.defaultModel());
                Pipeline pipeline = Pipeline.open(files, backend, MemoryPolicy.DEFAULT)) {
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
        Run looked = pipeline.generate(request, List.of(Attend.at("**").word("circle").keys(3)), Progress.NONE);
        assertThat(bytes(looked.pictures())).containsExactlyElementsOf(plain);
        assertThat(looked.recording().tensors()).isNotEmpty();
        looked.recording().tensors().forEach((name, tensor) -> assertThat(tensor.toArray()).as(name)
                .doesNotContain(Float.NaN));
        Run masked = pipeline.generate(request, List.of(Intervene.at("**").maskKeys(Edit.MaskKeys.Path.SCORE),
                Intervene.at("**").maskKeys(Edit.MaskKeys.Path.VALUE)), Progress.NONE);
        assertThat(bytes(masked.pictures())).containsExactlyElementsOf(plain);
    }

    @ParameterizedTest
    @ValueSource(strings = {"sd35-medium", "sd3-medium", "sdxl", "flux-dev", "auraflow", "pixart-sigma"})
    void lookingAndMaskingNothingChangeNothing(String family) {
        model(family, CPU, pipeline -> assertNothingChanges(pipeline, request(pipeline, b -> b)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"sd35-medium", "sdxl", "flux-dev", "auraflow", "pixart-sigma"})
    @OnEmulatedDevice
    void alsoOnADevice(String family) {
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, false)) {
            long before = cuda.allocatedBytes();
            model(family, cuda.backend(), pipeline ->
                    assertNothingChanges(pipeline, request(pipeline, b -> b.size(32, 16).steps(1))));
            assertThat(cuda.allocatedBytes()).isEqualTo(before);
        }
    }

    private static Map<String, Tensor> run(Pipeline pipeline, GenerationRequest request, Experiment... experiments) {
        return new LinkedHashMap<>(pipeline.generate(request, List.of(experiments), Progress.NONE).recording()
                .tensors());
    }

    /** One attention of the first picture and step, from recorded queries, keys and values, head by head. */
    private record Naive(int heads, int n, int m, float[] q, float[] k, float[] v) {
        static Naive of(Map<String, Tensor> run, int heads, List<String> queries, List<String> keys) {
            float[] q = joined(run, queries, ".q");
            float[] k = joined(run, keys, ".k");
            int width = run.get("step.000/cond/" + queries.getFirst() + ".q").cols();
            return new Naive(heads, q.length / width, k.length / width, q, k, joined(run, keys, ".v"));
        }

        private static float[] joined(Map<String, Tensor> run, List<String> streams, String what) {
            float[] all = {};
            for (String stream : streams) {
                Tensor part = run.get("step.000/cond/" + stream + what);
                float[] values = (part == null ? run.get("cond/" + stream + what) : part).toArray();
                int at = all.length;
                all = Arrays.copyOf(all, at + values.length);
                System.arraycopy(values, 0, all, at, values.length);
            }
            return all;
        }

        int width() {
            return q.length / n;
        }

        double[] probabilities(int head, int query, Set<Integer> without) {
            int d = width() / heads;
            double[] scores = new double[m];
            for (int j = 0; j < m; j++) {
                for (int c = head * d; c < (head + 1) * d; c++) {
                    scores[j] += (double) q[query * width() + c] * k[j * width() + c];
                }
                scores[j] = without.contains(j) ? Double.NEGATIVE_INFINITY : scores[j] / Math.sqrt(d);
            }
            double most = Arrays.stream(scores).max().orElseThrow();
            double[] powers = Arrays.stream(scores).map(score -> Math.exp(score - most)).toArray();
            double sum = Arrays.stream(powers).sum();
            return Arrays.stream(powers).map(power -> power / sum).toArray();
        }

        /** The mean over heads of the sum over queries. */
        double[] mass() {
            double[] mass = new double[m];
            for (int head = 0; head < heads; head++) {
                for (int query = 0; query < n; query++) {
                    double[] p = probabilities(head, query, Set.of());
                    for (int j = 0; j < m; j++) {
                        mass[j] += p[j] / heads;
                    }
                }
            }
            return mass;
        }

        /** @param zeroed keys whose values are 0 */
        double[] out(int query, Set<Integer> without, Set<Integer> zeroed) {
            double[] out = new double[width()];
            int d = width() / heads;
            for (int head = 0; head < heads; head++) {
                double[] p = probabilities(head, query, without);
                for (int j = 0; j < m; j++) {
                    for (int c = head * d; c < (head + 1) * d && !zeroed.contains(j); c++) {
                        out[c] += p[j] * v[j * width() + c];
                    }
                }
            }
            return out;
        }
    }

    private static final String[] SD3_ATTENTION = {"block.0.image.attn", "block.0.context.attn"};

    /** SD3 Medium's tiny model has no norm of q and k, so what is recorded is what attention reads. */
    @Test
    void keepsWhatANaiveSoftmaxGives() {
        model("sd3-medium", EXACT, pipeline -> {
            GenerationRequest request = request(pipeline, b -> b.steps(1));
            Map<String, Tensor> run = run(pipeline, request, Probe.at("block.0.**").save(),
                    Attend.at("0").word("red circle").tokens(List.of(0, 80)).keys(4).with(Intervene.at("0")
                            .branch(Branch.COND)));
            Attention attention = pipeline.experiments().sites(request).attending("block.0").getFirst();
            Naive naive = Naive.of(run, attention.heads(), List.of(SD3_ATTENTION), List.of(SD3_ATTENTION));
            int text = attention.keys().getFirst();
            String name = "step.000/cond/block.0.attn/";
            // Begin of text, "a", then the two words; T5 has no begin, and "a" may be several pieces.
            assertMap(naive, text, run.get(name + "token.0").toArray(), Set.of(text));
            assertMap(naive, text, run.get(name + "token.80").toArray(), Set.of(text + 80));
            double[] mass = naive.mass();
            float[] kept = run.get(name + "mass").toArray();
            for (int j = 0; j < mass.length; j++) {
                assertThat((double) kept[j]).isCloseTo(mass[j], within(1e-4));
            }
            int most = IntStream.range(0, mass.length).boxed().max((i, j) -> Double.compare(mass[i], mass[j]))
                    .orElseThrow();
            assertThat(run.get(name + "top").toArray()[0]).isEqualTo(most);
            assertThat(run.get(name + "top").shape().dims()).containsExactly(4, 2);
            float[] word = run.get(name + "word.red circle").toArray();
            assertThat(word).hasSize(text);
            assertThat(run.keySet()).noneMatch(key -> key.contains("uncond/block.0.attn/"));
        });
    }

    private static void assertMap(Naive naive, int queries, float[] map, Set<Integer> keys) {
        assertThat(map).hasSize(queries);
        for (int query = 0; query < queries; query++) {
            double sum = 0;
            for (int head = 0; head < naive.heads; head++) {
                double[] p = naive.probabilities(head, query, Set.of());
                sum += keys.stream().mapToDouble(key -> p[key]).sum() / naive.heads;
            }
            assertThat((double) map[query]).isCloseTo(sum, within(1e-5));
        }
    }

    @ParameterizedTest
    @CsvSource({"sdxl,block.0", "pixart-sigma,block.0"})
    void crossAttentionToo(String family, String block) {
        model(family, EXACT, pipeline -> {
            GenerationRequest request = request(pipeline, b -> b.steps(1));
            Map<String, Tensor> run = run(pipeline, request, Probe.at(block + ".**").save(),
                    Attend.at(block).tokens(List.of(0, 1)).with(Intervene.at(block + ".cross").branch(Branch.COND)));
            Attention attention = pipeline.experiments().sites(request).attending(block + ".cross").getFirst();
            Naive naive = Naive.of(run, attention.heads(), List.of(block + ".image.cross"),
                    List.of(block + ".context.cross"));
            float[] first = run.get("step.000/cond/" + block + ".cross/token.0").toArray();
            if (family.equals("sdxl")) {
                assertMap(naive, naive.n, first, Set.of(0));
            }
            assertThat(first).hasSize(naive.n);
        });
    }

    @Test
    void maskedKeysAreGone() {
        model("sd3-medium", EXACT, pipeline -> {
            GenerationRequest request = request(pipeline, b -> b.steps(1));
            int heads = pipeline.experiments().sites(request).attending("block.0").getFirst().heads();
            Probe probe = Probe.at("block.0.**").save();
            Map<String, Tensor> plain = run(pipeline, request, probe);
            Naive naive = Naive.of(plain, heads, List.of(SD3_ATTENTION), List.of(SD3_ATTENTION));
            double[] mass = naive.mass();
            Set<Integer> top = Set.of(IntStream.range(0, mass.length).boxed()
                    .max((i, j) -> Double.compare(mass[i], mass[j])).orElseThrow());
            assertOut(naive, run(pipeline, request, probe, Interventions.of("mask-key 0 keys=3,90 branch=cond")),
                    plain, Set.of(3, 90), Set.of());
            assertOut(naive, run(pipeline, request, probe,
                    Interventions.of("mask-key block.0 keys=5 path=value branch=cond")), plain, Set.of(), Set.of(5));
            assertOut(naive, run(pipeline, request, probe, Interventions.of("mask-key top1 block.0 branch=cond")),
                    plain, top, Set.of());
        });
    }

    private static void assertOut(Naive naive, Map<String, Tensor> run, Map<String, Tensor> plain,
                                  Set<Integer> without, Set<Integer> zeroed) {
        Tensor out = run.get("step.000/cond/block.0.image.attn.out");
        for (int query = 0; query < out.rows(); query++) {
            double[] expected = naive.out(query, without, zeroed);
            for (int c = 0; c < expected.length; c++) {
                assertThat((double) out.get(query, c)).isCloseTo(expected[c], within(1e-4));
            }
        }
        assertThat(out.toArray()).isNotEqualTo(plain.get("step.000/cond/block.0.image.attn.out").toArray());
        assertThat(run.get("step.000/uncond/block.0.image.attn.out").toArray())
                .isEqualTo(plain.get("step.000/uncond/block.0.image.attn.out").toArray());
    }

    /** Masked values are the same bytes as values that an intervention sets to zero. */
    @Test
    @OnEmulatedDevice
    void maskedValuesAreZeros() {
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, false)) {
            for (Backend backend : List.of(EXACT, cuda.backend())) {
                model("sd35-medium", backend, pipeline -> {
                    GenerationRequest request = request(pipeline, b -> b.size(32, 32).steps(1));
                    Run masked = pipeline.generate(request, List.of(Interventions.of(
                            "mask-key block.0.attn keys=1,2,3 path=value")), Progress.NONE);
                    Run zeroed = pipeline.generate(request, List.of(Interventions.of(
                            "zero block.0.image.attn.v tokens=1,2,3")), Progress.NONE);
                    assertThat(masked.latents()).containsExactly(zeroed.latents());
                });
            }
        }
    }

    /** Rows of q, k and v are moved on the device: none of its 16-bit tensors is copied to the host. */
    @Test
    @OnEmulatedDevice
    void masksOnTheDevice() {
        try (EmulatedCuda cuda = EmulatedCuda.open(Precision.BF16, false)) {
            List<Tensor> copied = new ArrayList<>();
            Backend watched = (Backend) Proxy.newProxyInstance(Backend.class.getClassLoader(),
                    new Class<?>[] {Backend.class}, (_, method, arguments) -> {
                        if (method.getName().equals("download") && ((Tensor) arguments[0]).type() != DType.F32) {
                            copied.add((Tensor) arguments[0]);
                        }
                        try {
                            return method.invoke(cuda.backend(), arguments);
                        } catch (InvocationTargetException e) {
                            throw e.getCause();
                        }
                    });
            for (String family : List.of("flux-dev", "pixart-sigma")) {
                model(family, watched, pipeline -> {
                    GenerationRequest request = request(pipeline, b -> b.size(32, 32).steps(1));
                    float[] plain = pipeline.generate(request, List.of(), Progress.NONE).latents();
                    for (String line : List.of("mask-key ** word=circle", "mask-key top2 ** path=value")) {
                        assertThat(pipeline.generate(request, List.of(Interventions.of(line)), Progress.NONE)
                                .latents()).as(family + ": " + line).isNotEqualTo(plain).doesNotContain(Float.NaN);
                    }
                });
            }
            assertThat(copied).isEmpty();
        }
    }

    @Test
    void everyFamilyCanMask() {
        for (String family : List.of("sdxl", "flux-dev", "auraflow", "pixart-sigma", "sd35-medium")) {
            model(family, CPU, pipeline -> {
                GenerationRequest request = request(pipeline, b -> b.steps(1));
                List<byte[]> plain = bytes(pipeline.generate(request, Progress.NONE));
                for (String line : List.of("mask-key ** word=circle", "mask-key top1 **",
                        "mask-key top1 ** path=value")) {
                    Run run = pipeline.generate(request, List.of(Interventions.of(line)), Progress.NONE);
                    assertThat(bytes(run.pictures())).as(family + ": " + line).isNotEqualTo(plain);
                }
            });
        }
    }

    @Test
    void namesWhatIsNotThere() {
        model("sd35-medium", CPU, pipeline -> {
            GenerationRequest request = request(pipeline, b -> b);
            assertRefused(pipeline, request, Attend.at("**").word("dog"), "no word \"dog\"", "red, circle");
            assertRefused(pipeline, request, Attend.at("7").word("red"), "no attention block.7", "block.0.attn");
            assertRefused(pipeline, request, Attend.at("0"), "nothing is to be looked at");
            assertRefused(pipeline, request, Attend.at("0").word(" "), "a word to look at is empty");
            assertRefused(pipeline, request, Attend.at("0").tokens(List.of(999)), "token 999 is not there");
            assertRefused(pipeline, request, Attend.at("0").word("red").with(Intervene.at("0").heads(99)),
                    "head 99 is not there");
            assertRefused(pipeline, request, Attend.at("0").word("red").with(Intervene.at("0").steps(9)),
                    "step 9 is not there");
            assertRefused(pipeline, request, Interventions.of("mask-key 0 keys=9999"), "key 9999 is not there");
            assertRefused(pipeline, request, Interventions.of("mask-key top9999 0"), "mask at most");
        });
        for (String line : List.of("mask-key 0", "mask-key top1 0 word=cat", "mask-key top0 0",
                "mask-key top1 0 path=middle")) {
            assertThatThrownBy(() -> Interventions.of(line)).isInstanceOf(InputException.class)
                    .hasMessageContaining("mask-key");
        }
    }

    private static void assertRefused(Pipeline pipeline, GenerationRequest request, Experiment experiment,
                                      String... says) {
        assertThatThrownBy(() -> pipeline.generate(request, List.of(experiment), Progress.NONE))
                .isInstanceOf(InputException.class).hasMessageContainingAll(says);
    }
}
