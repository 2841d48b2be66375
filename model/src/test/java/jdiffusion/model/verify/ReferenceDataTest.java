package jdiffusion.model.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.reference.Comparison;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Every tensor of the reference data, in float32: components beside the checkout, pipelines also in the project. */
class ReferenceDataTest {
    private static final double TOLERANCE = 1e-4;
    private static final CpuBackend BACKEND = new CpuBackend();

    @AfterAll
    static void close() {
        BACKEND.close();
    }

    @TestFactory
    Stream<DynamicTest> components() {
        Path root = TestData.reference();
        return Stream.of("denoiser", "text_encoder", "vae", "taesd", "sdxl/unet", "sdxl/vae", "sdxl/text_encoder",
                "auraflow/vae", "auraflow/text_encoder", "auraflow/transformer", "flux/transformer",
                "flux/text_encoder", "flux/vae", "pixart/text_encoder", "pixart/transformer")
                .flatMap(name -> tests(root.resolve(name), null));
    }

    @TestFactory
    Stream<DynamicTest> pipelines() {
        return tests(TestData.pipelines(), null);
    }

    /** The ways through the pipeline that the project's own references do not take. */
    @TestFactory
    Stream<DynamicTest> otherPipelines() {
        Path root = TestData.reference().resolve("pipelines");
        return Stream.of("batch", "heun", "img2img", "negative-wide", "no-guidance", "shift3", "skip-layers")
                .flatMap(name -> tests(root.resolve(name), null));
    }

    /** Of SDXL and its kin: text and pictures to pictures, inpainting, refiners, samplers, LoRA. */
    @TestFactory
    Stream<DynamicTest> sdxlPipelines() {
        return tests(TestData.reference().resolve("sdxl/pipelines"), null);
    }

    @TestFactory
    Stream<DynamicTest> sdxlLayouts() {
        return tests(TestData.reference().resolve("sdxl/layouts/expected"), null);
    }

    /** Of PixArt: bins, cleaned and plain captions, Karras levels, two pictures at once. */
    @TestFactory
    Stream<DynamicTest> pixartPipelines() {
        return tests(TestData.reference().resolve("pixart/pipelines"), null);
    }

    /** Of FLUX.1: embedded guidance, guidance by two passes, pictures to pictures, inpainting, sizes of all kinds. */
    @TestFactory
    Stream<DynamicTest> fluxPipelines() {
        return tests(TestData.reference().resolve("flux/pipelines"), null);
    }

    @TestFactory
    Stream<DynamicTest> fluxLayouts() {
        return tests(TestData.reference().resolve("flux/layouts/expected"), null);
    }

    @TestFactory
    Stream<DynamicTest> auraFlowPipelines() {
        Path root = TestData.reference().resolve("auraflow");
        return Stream.of("pipelines", "layouts/expected").flatMap(name -> tests(root.resolve(name), null));
    }

    @TestFactory
    Stream<DynamicTest> layouts() {
        Path layouts = TestData.reference().resolve("layouts");
        return Stream.concat(Stream.of("diffusers", "sharded", "single", "all_in_one.safetensors")
                .flatMap(name -> tests(layouts.resolve("expected/dense"), layouts.resolve(name))),
                Stream.of("nf4", "fp8_scaled").flatMap(name -> tests(layouts.resolve("expected").resolve(name), null)));
    }

    private static Stream<DynamicTest> tests(Path root, Path model) {
        return ReferenceFolder.find(root).stream().map(folder -> DynamicTest.dynamicTest(
                folder.path().getFileName() + (model == null ? "" : " from " + model.getFileName()), () -> {
                    var verifier = new Verifier(BACKEND, TOLERANCE, model, TestData.defaultModel());
                    List<Comparison> all = verifier.verify(folder);
                    assertThat(all).isNotEmpty().allSatisfy(c -> assertThat(c.passed()).as(c.toString()).isTrue());
                }));
    }

    @Test
    void aTensorThatNothingIsComparedWithFails() throws Exception {
        Path folder = Files.createTempDirectory("reference");
        Path from = TestData.pipelines().resolve("no-t5");
        for (String name : List.of("request.json", "io.safetensors")) {
            Files.copy(from.resolve(name), folder.resolve(name));
        }
        TestData.rewrite(folder.resolve("io.safetensors"),
                tensors -> tensors.put("unheard_of", tensors.get("sigmas")));
        var verifier = new Verifier(BACKEND, TOLERANCE, null, TestData.defaultModel());
        assertThat(verifier.verify(ReferenceFolder.find(folder).getFirst())).filteredOn(c -> !c.passed())
                .extracting(Comparison::tensor).containsExactly("unheard_of");
    }

    /** Padding is told by the number of tokens before it, so no other masks can be computed. */
    @Test
    void aMaskWithHolesIsRefused() throws Exception {
        Path folder = Files.createTempDirectory("reference");
        Path from = TestData.reference().resolve("auraflow/text_encoder/umt5");
        for (String name : List.of("config.json", "model.safetensors", "io.safetensors")) {
            Files.copy(from.resolve(name), folder.resolve(name));
        }
        Path io = folder.resolve("io.safetensors");
        assertThat(io.toFile().setWritable(true)).isTrue();
        TestData.rewrite(io, tensors -> tensors.put("attention_mask", tensors.get("input_ids")));
        var verifier = new Verifier(BACKEND, TOLERANCE, null, TestData.defaultModel());
        ReferenceFolder found = ReferenceFolder.find(folder).getFirst();
        assertThatThrownBy(() -> verifier.verify(found)).hasMessageContainingAll("attention_mask",
                "ones, then zeros");
    }

    @Test
    void aReferenceOfInputsAloneIsRefused() throws Exception {
        Path folder = Files.createTempDirectory("reference");
        Files.copy(TestData.pipelines().resolve("no-t5/request.json"), folder.resolve("request.json"));
        Files.copy(TestData.pipelines().resolve("no-t5/io.safetensors"),
                folder.resolve("io.safetensors"));
        TestData.rewrite(folder.resolve("io.safetensors"), Map::clear);
        var verifier = new Verifier(BACKEND, TOLERANCE, null, TestData.defaultModel());
        ReferenceFolder found = ReferenceFolder.find(folder).getFirst();
        assertThatThrownBy(() -> verifier.verify(found)).hasMessageContaining("nothing to compare");
    }
}
