package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.cache.StepCache;
import jdiffusion.model.experiment.Interventions;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.guidance.Guiders;
import jdiffusion.model.image.Picture;
import jdiffusion.model.sampling.SkipLayers;
import jdiffusion.model.sites.Attend;
import jdiffusion.model.sites.Experiment;
import jdiffusion.model.sites.Intervene;
import jdiffusion.model.sites.Probe;
import jdiffusion.model.sites.Recording;
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
import org.junit.jupiter.params.provider.ValueSource;

/** Experiments where some evaluations are worse on purpose, or left out by a step cache. */
class WorseBranchesTest {
    private static final CpuBackend EXACT = new CpuBackend(2, Precision.F32);

    @AfterAll
    static void close() {
        EXACT.close();
    }

    private static void model(String family, Consumer<Pipeline> work) {
        SyntheticModel model = Families.synthetic(family).tiny(new Vocabularies(2000, 2000, 4000));
        try (SyntheticFiles files = new SyntheticFiles(model, EnumSet.copyOf(model.parts().keySet()), DType.F32,
                TestData.defaultModel());
                Pipeline pipeline = Pipeline.open(files, EXACT, MemoryPolicy.DEFAULT)) {
            work.accept(pipeline);
        }
    }

    private static GenerationRequest.Builder request(Pipeline pipeline) {
        return TinyModels.request(pipeline).negativePrompt("a blue square").size(64, 32).steps(4).guidance(3).seed(3)
                .resolutionBinning(false);
    }

    private static Map<String, float[]> record(Pipeline pipeline, GenerationRequest request, Experiment... what) {
        Map<String, float[]> all = new LinkedHashMap<>();
        pipeline.generate(request, List.of(what), Progress.NONE).recording().tensors()
                .forEach((name, tensor) -> all.put(name, tensor.toArray()));
        return all;
    }

    private static List<byte[]> pictures(Pipeline pipeline, GenerationRequest request, Experiment... what) {
        return pipeline.generate(request, List.of(what), Progress.NONE).pictures().stream().map(Picture::rgb).toList();
    }

    /** Each worse network is a branch of its own, which can be recorded, kept and changed by itself. */
    @Test
    void everyWorseNetworkIsABranch() {
        model("sd35-medium", pipeline -> {
            GenerationRequest request = request(pipeline).guiders(Guiders.of("",
                    "pag(start=0,stop=1,layers=1), seg(layers=0)")).skipLayers(new SkipLayers(List.of(1), 2, 0, 1))
                    .build();
            List<byte[]> plain = pictures(pipeline, request);
            assertThat(pictures(pipeline, request, Interventions.of("keep block.*.image branch=pag,seg,skip")))
                    .containsExactlyElementsOf(plain);
            Map<String, float[]> seen = record(pipeline, request, Probe.at("prediction").steps(2).save());
            assertThat(seen.keySet()).containsExactlyInAnyOrder("step.002/uncond/prediction",
                    "step.002/cond/prediction", "step.002/skip/prediction", "step.002/pag/prediction",
                    "step.002/seg/prediction");
            for (String branch : List.of("skip", "pag", "seg")) {
                Map<String, float[]> changed = record(pipeline, request, Interventions.of("zero block.0.image steps=2"
                        + " branch=" + branch), Probe.at("prediction").steps(2).save());
                seen.forEach((name, values) -> {
                    if (name.contains(branch)) {
                        assertThat(changed.get(name)).as(name).isNotEqualTo(values);
                    } else {
                        assertThat(changed.get(name)).as(name).containsExactly(values);
                    }
                });
            }
            assertThatThrownBy(() -> pipeline.generate(request(pipeline).build(), List.of(
                    Interventions.of("zero block.0 branch=pag")), Progress.NONE)).isInstanceOf(InputException.class)
                    .hasMessageContaining("there is no branch pag").hasMessageContaining("give --guiders pag");
        });
    }

    /** Perturbed attention is an attention whose output is its values, in blocks of two streams and of one. */
    @ParameterizedTest
    @ValueSource(strings = {"flux-dev", "auraflow"})
    void perturbedAttentionGivesItsValues(String family) {
        model(family, pipeline -> {
            GenerationRequest request = request(pipeline).steps(2).guiders(Guiders.of("",
                    "pag(start=0,stop=1,layers=1+3)")).build();
            List<String> places = List.of("block.1.image.attn", "block.1.context.attn", "single.1.attn");
            Map<String, float[]> seen = record(pipeline, request, places.stream().flatMap(place -> Stream.of(
                    Probe.at(place + ".v").steps(1).save(), Probe.at(place + ".out").steps(1).save()))
                    .toArray(Experiment[]::new));
            for (String place : places) {
                assertThat(seen.get("step.001/pag/" + place + ".out")).as(place)
                        .containsExactly(seen.get("step.001/pag/" + place + ".v"));
                assertThat(seen.get("step.001/cond/" + place + ".out")).as(place)
                        .isNotEqualTo(seen.get("step.001/cond/" + place + ".v"));
            }
            assertThatThrownBy(() -> pipeline.check(request(pipeline).guiders(Guiders.of("", "seg")).build()))
                    .isInstanceOf(InputException.class).hasMessageContaining("seg needs layers with")
                    .hasMessageContaining("of 0 to 3");
        });
    }

    /** The negative prompt's prediction is that of a network without the layers, the prompt's the whole network's. */
    @Test
    void autoGuidanceWeakensTheNegativeBranch() {
        model("sd35-medium", pipeline -> {
            GenerationRequest whole = request(pipeline).build();
            Probe probe = Probe.at("prediction").steps(0, 1).save();
            Recording auto = pipeline.generate(whole.toBuilder().guiders(Guiders.of("", "auto(layers=1)")).build(),
                    List.of(probe, Probe.at("latents").steps(1).save()), Progress.NONE).recording();
            assertThat(auto.find("step.000/cond/prediction").toArray()).containsExactly(record(pipeline, whole, probe)
                    .get("step.000/cond/prediction"));
            // Skip-layer guidance with the negative prompt as its prompt, from the same latents.
            GenerationRequest negative = whole.toBuilder().prompt(whole.negativeText()).skipLayers(
                    new SkipLayers(List.of(1), 2, 0, 1)).build();
            assertThat(auto.find("step.001/uncond/prediction").toArray()).containsExactly(record(pipeline, negative,
                    probe, Intervene.at("latents").steps(1).replace(auto)).get("step.001/skip/prediction"));
        });
        model("flux-dev", pipeline -> assertThatThrownBy(() -> pipeline.check(request(pipeline).guiders(
                Guiders.of("", "auto(layers=1)")).build())).isInstanceOf(InputException.class)
                .hasMessageContaining("layer 1 cannot be skipped"));
        assertThatThrownBy(() -> Guiders.of("", "auto")).isInstanceOf(InputException.class)
                .hasMessageContaining("auto(layers=7-9)");
    }

    /** What a cache leaves out is not there; what is there is seen and changed, and keeping it changes nothing. */
    @ParameterizedTest
    @ValueSource(strings = {"taylor(2,warmup=1)", "first-block(10)"})
    void experimentsGoTogetherWithCaches(String text) {
        model("sd35-medium", pipeline -> {
            GenerationRequest plain = request(pipeline).images(2).build();
            GenerationRequest cached = plain.toBuilder().methods(plain.methods().withCache(StepCache.of("", text),
                    false)).build();
            List<byte[]> expected = pictures(pipeline, cached);
            assertThat(pictures(pipeline, cached, Intervene.at("block.*.image").keep(), Interventions.of(
                    "mask-key none **"))).containsExactlyElementsOf(expected);
            assertThat(pictures(pipeline, cached, Attend.at("**").word("circle").keys(2)))
                    .containsExactlyElementsOf(expected);
            GenerationRequest report = plain.toBuilder().methods(plain.methods().withCache(StepCache.of("", text),
                    true)).build();
            List<String> notes = new ArrayList<>();
            Run run = pipeline.generate(report, List.of(Probe.at("block.1.image").save()), new Progress() {
                @Override
                public void note(String note) {
                    notes.add(note);
                }
            });
            Map<String, Tensor> seen = run.recording().tensors();
            assertThat(seen).containsKeys("image.0/step.000/cond/block.1.image",
                    "image.1/step.000/uncond/block.1.image");
            assertThat(seen.size()).isLessThan(2 * 2 * 4);
            assertThat(notes).anyMatch(note -> note.contains("left out") && note.contains("of 8 evaluations of"
                    + " block.1.image"));
            // The first evaluation is that of a run without a cache.
            assertThat(seen.get("image.0/step.000/cond/block.1.image").toArray()).containsExactly(record(pipeline,
                    plain, Probe.at("block.1.image").save()).get("image.0/step.000/cond/block.1.image"));
            assertThat(pictures(pipeline, cached, Intervene.at("block.0.context").zero())).isNotEqualTo(expected);
            assertThatThrownBy(() -> pipeline.experiments().lens(cached, List.of(), Progress.NONE))
                    .isInstanceOf(InputException.class).hasMessageContaining("leave --cache out");
        });
    }
}
