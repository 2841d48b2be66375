package jdiffusion.model.flux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.checkpoint.names.Mapped;
import jdiffusion.model.convert.CheckpointSource;
import jdiffusion.model.convert.ExportOptions;
import jdiffusion.model.convert.ExportProgress;
import jdiffusion.model.convert.Exporter;
import jdiffusion.model.families.Families;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.quantize.QuantizeRules;
import jdiffusion.model.sampling.FlowScheduler;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** FLUX.1 in every layout is the same model; its kin is told from it. */
class FluxFilesTest {
    @TempDir
    private Path folder;

    private static Path reference() {
        return TestData.reference().resolve("flux");
    }

    private static ModelFiles open(Path path) {
        return Families.open(path, ModelSources.NONE);
    }

    private static void export(Path from, String quantize, Consumer<Exporter> writer) {
        ExportOptions options = new ExportOptions(EnumSet.allOf(Component.class),
                quantize == null ? null : QuantizeRules.parse(quantize), null, ExportOptions.DIFFUSERS_SHARD);
        try (CheckpointSource source = new CheckpointSource(open(from))) {
            writer.accept(new Exporter(source, options, ExportProgress.NONE));
        }
    }

    /** The same numbers under the same names, for each component. */
    private static void assertSame(Path one, Path other) {
        ModelFiles a = open(one);
        ModelFiles b = open(other);
        assertThat(a.architecture()).isInstanceOf(Flux.class);
        assertThat(a.scheduler()).isEqualTo(b.scheduler());
        for (Component component : a.architecture().components()) {
            try (ModelFiles.Open x = a.open(component); ModelFiles.Open y = b.open(component)) {
                assertThat(x.tensors().names()).as(component.label()).isEqualTo(y.tensors().names());
                for (String name : x.tensors().names()) {
                    assertThat(values(x.tensors(), name)).as(name).isEqualTo(values(y.tensors(), name));
                }
                a.architecture().network(component).load(Weights.of(x.tensors(),
                        Placement.onHost()), x.config());
            }
        }
    }

    private static float[] values(TensorSource source, String name) {
        Tensor tensor = source.find(name);
        if (tensor != null) {
            return tensor.toArray();
        }
        Weight weight = source.weight(name);
        float[] all = new float[weight.rows() * weight.cols()];
        for (int row = 0; row < weight.rows(); row++) {
            weight.read(row, 0, weight.cols(), all, row * weight.cols());
        }
        return all;
    }

    @ParameterizedTest
    @ValueSource(strings = {"dev", "schnell"})
    void throughTheSingleFileAndBack(String name) {
        Path model = reference().resolve(name);
        Path single = folder.resolve("single");
        export(model, null, e -> e.writeSingle(single));
        Path file = single.resolve("single.safetensors");
        try (SafetensorsFile names = SafetensorsFile.open(file)) {
            assertThat(names.names()).contains("double_blocks.0.img_attn.norm.query_norm.scale",
                    "single_blocks.0.linear1.weight", "final_layer.adaLN_modulation.1.weight")
                    .noneMatch(one -> one.contains("to_q"));
            assertThat(names.shape("single_blocks.0.linear1.weight").toString()).isEqualTo(name.equals("dev") ? "[448, 64]" : "[224, 32]");
        }
        assertSame(single, model);
        Path back = folder.resolve("back");
        export(single, null, e -> e.writeDiffusers(back));
        assertSame(back, model);
        Path all = folder.resolve("all.safetensors");
        export(model, null, e -> e.writeFile(all));
        assertSame(all, model);
    }

    /** The publisher's file, whose last modulation has its halves the other way round. */
    @Test
    void theReferenceSingleFileAndBack() {
        Path single = reference().resolve("layouts/single/flux1-dev.safetensors");
        Path folders = folder.resolve("folders");
        export(single, null, e -> e.writeDiffusers(folders));
        assertSame(folders, single);
        Path again = folder.resolve("again");
        export(folders, null, e -> e.writeSingle(again));
        try (SafetensorsFile one = SafetensorsFile.open(again.resolve("again.safetensors"));
                SafetensorsFile other = SafetensorsFile.open(single)) {
            assertThat(one.names()).isEqualTo(other.names());
            for (String name : one.names()) {
                assertThat(one.find(name).toArray()).as(name).isEqualTo(other.find(name).toArray());
                assertThat(one.shape(name)).isEqualTo(other.shape(name));
            }
        }
    }

    /**
     * Forge's single files: bitsandbytes' names behind the prefix, with q, k, v and the MLP in one matrix. Scales of
     * blocks are the same as in matrices that are quantised apart; with scales quantised in turn they need not be.
     */
    @Test
    void nf4InASingleFile() {
        Path model = reference().resolve("dev");
        Path file = folder.resolve("flux1-dev-bnb-nf4.safetensors");
        export(model, "denoiser=nf4", e -> e.writeFile(file));
        String linear1 = "model.diffusion_model.single_blocks.0.linear1.weight";
        try (SafetensorsFile names = SafetensorsFile.open(file)) {
            assertThat(names.names()).contains(linear1, linear1 + ".absmax", linear1 + ".quant_map",
                    linear1 + ".quant_state.bitsandbytes__nf4", "model.diffusion_model.img_in.weight",
                    "vae.decoder.conv_in.weight", "text_encoders.t5xxl.transformer.shared.weight");
        }
        Path folders = folder.resolve("nf4");
        export(model, "denoiser=nf4", e -> e.writeDiffusers(folders));
        assertSame(file, folders);
        Path twice = folder.resolve("double.safetensors");
        export(model, "denoiser=nf4-double", e -> e.writeFile(twice));
        try (ModelFiles.Open plain = open(folders).open(Component.DENOISER);
                ModelFiles.Open nested = open(twice).open(Component.DENOISER)) {
            String q = "single_transformer_blocks.0.attn.to_q.weight";
            float[] a = values(plain.tensors(), q);
            float[] b = values(nested.tensors(), q);
            double off = 0;
            double size = 0;
            for (int i = 0; i < a.length; i++) {
                off += Math.pow(a[i] - b[i], 2);
                size += Math.pow(a[i], 2);
            }
            // Quantised scales have 8 bits.
            assertThat(Math.sqrt(off / size)).isPositive().isLessThan(1.0 / 64);
        }
    }

    /** ComfyUI's scaled fp8: a scale beside each matrix, also where q, k and v are one. */
    @Test
    void scaledFp8InASingleFile() {
        Path model = reference().resolve("dev");
        Path file = folder.resolve("flux1-dev-fp8-scaled.safetensors");
        export(model, "denoiser=fp8", e -> e.writeFile(file));
        String qkv = "model.diffusion_model.double_blocks.0.img_attn.qkv";
        try (SafetensorsFile names = SafetensorsFile.open(file)) {
            assertThat(names.find(qkv + ".weight").type()).isEqualTo(DType.F8_E4M3);
            assertThat(names.shape(qkv + ".scale_weight").size()).isEqualTo(1);
        }
        try (ModelFiles.Open scaled = open(file).open(Component.DENOISER);
                ModelFiles.Open plain = open(model).open(Component.DENOISER)) {
            assertThat(scaled.tensors().names()).isEqualTo(plain.tensors().names());
            for (String name : plain.tensors().names()) {
                float[] a = values(plain.tensors(), name);
                float[] b = values(scaled.tensors(), name);
                float most = 0;
                float off = 0;
                for (int i = 0; i < a.length; i++) {
                    most = Math.max(most, Math.abs(a[i]));
                    off = Math.max(off, Math.abs(a[i] - b[i]));
                }
                // Three bits of mantissa: at most half a step of the largest number.
                assertThat(off).as(name).isLessThanOrEqualTo(most / 16);
            }
        }
    }

    @Test
    void gguf() {
        Path model = reference().resolve("dev");
        Path gguf = folder.resolve("flux1-dev-Q8_0.gguf");
        export(model, "q8_0", e -> e.writeGguf(gguf));
        try (ModelFiles.Open written = Families.models().openParts(gguf).open(Component.DENOISER);
                ModelFiles.Open plain = open(model).open(Component.DENOISER)) {
            assertThat(written.tensors().names()).isEqualTo(plain.tensors().names());
            assertThat(written.tensors().weight("transformer_blocks.0.attn.add_k_proj.weight"))
                    .isInstanceOf(Weight.Blocks.class);
            // What city96's files leave as it is.
            for (String name : List.of("x_embedder.weight", "norm_out.linear.weight", "proj_out.weight",
                    "time_text_embed.guidance_embedder.linear_1.weight")) {
                assertThat(values(written.tensors(), name)).as(name).isEqualTo(values(plain.tensors(), name));
            }
        }
    }

    /** All names and shapes of the published files, in both directions. */
    @ParameterizedTest
    @ValueSource(strings = {"dev", "schnell"})
    void publishedNames(String name) {
        JsonNode original = TestData.json(reference().resolve("manifests/" + name + ".single-file.json"))
                .get("tensors");
        JsonNode ours = TestData.json(reference().resolve("manifests/" + name + ".transformer.json")).get("tensors");
        TreeMap<String, Integer> rows = new TreeMap<>();
        List<String> names = new ArrayList<>();
        original.fieldNames().forEachRemaining(names::add);
        for (Mapped mapped : FluxNames.NAMES.fromOriginal(names)) {
            for (int i = 0; i < mapped.names().size(); i++) {
                rows.put(mapped.names().get(i), original.get(mapped.original()).get(0).asInt() / mapped.parts()
                        * mapped.shares().get(i));
            }
        }
        TreeMap<String, Integer> wanted = new TreeMap<>();
        ours.properties().forEach(tensor -> wanted.put(tensor.getKey(), tensor.getValue().get(0).asInt()));
        assertThat(rows).isEqualTo(wanted);
        assertThat(FluxNames.NAMES.toOriginal(wanted.keySet())).extracting(Mapped::original)
                .containsExactlyInAnyOrderElementsOf(new TreeSet<>(names));
    }

    /** A file in the publisher's names alone says which schedule is its. */
    @Test
    void schedules() {
        assertThat(new Flux().scheduler().shift()).isEqualTo("dynamic");
        for (String name : List.of("dev", "schnell")) {
            Path file = folder.resolve(name + ".safetensors");
            rewritten(reference().resolve(name + "/transformer/diffusion_pytorch_model.safetensors"), file, Map.of());
            FlowScheduler scheduler = (FlowScheduler) Families.open(file, new ModelSources(Map.of(Component.VAE,
                    reference().resolve("layouts/single/ae.safetensors")), EnumSet.of(Component.CLIP_L, Component.T5),
                    null, null)).scheduler();
            assertThat(scheduler).isEqualTo(name.equals("dev") ? new Flux().scheduler() : Flux.schnellScheduler())
                    .isEqualTo(open(reference().resolve(name)).scheduler());
        }
        FlowScheduler dev = new Flux().scheduler();
        assertThat(dev.read(dev.write(), "again")).isEqualTo(dev);
        assertThat(dev.schedule()).isNull();
        assertThat(dev.withShift(2).sigmas(2, 4096).toArray()).containsExactly(1, 2f / 3, 0);
        assertThat(dev.sigmas(2, 256).sigma(1)).isNotEqualTo(dev.sigmas(2, 4096).sigma(1));
    }

    private static void rewritten(Path from, Path to, Map<String, Tensor> changed) {
        try (SafetensorsFile file = SafetensorsFile.open(from)) {
            Map<String, Tensor> tensors = new TreeMap<>();
            file.names().forEach(name -> tensors.put(name, file.find(name)));
            tensors.putAll(changed);
            SafetensorsWriter.write(to, tensors, Map.of());
        }
    }

    @ParameterizedTest
    @CsvSource({"384,FLUX.1 Fill", "128,FLUX.1 Depth or Canny"})
    void otherModelsOfTheseShapesAreNamed(int columns, String name) {
        Path file = folder.resolve("other.safetensors");
        rewritten(reference().resolve("layouts/single/flux1-dev.safetensors"), file,
                Map.of("img_in.weight", Tensor.of(new float[64 * columns], 64, columns)));
        ModelSources beside = new ModelSources(Map.of(Component.VAE,
                reference().resolve("layouts/single/ae.safetensors")), EnumSet.of(Component.CLIP_L, Component.T5), null,
                null);
        try (CpuBackend backend = new CpuBackend()) {
            assertThatThrownBy(() -> Pipeline.open(Families.open(file, beside), backend))
                    .isInstanceOf(InputException.class).hasMessageContainingAll(name, "[dev]", "[schnell]");
        }
    }

    @Test
    void reduxIsNamed() throws IOException {
        Path file = folder.resolve("flux1-redux-dev.safetensors");
        SafetensorsWriter.write(file, Map.of("redux_up.weight", Tensor.of(new float[4], 2, 2), "redux_up.bias",
                Tensor.of(new float[2], 2), "redux_down.weight", Tensor.of(new float[4], 2, 2)), Map.of());
        assertThatThrownBy(() -> open(file)).isInstanceOf(InputException.class).hasMessageContaining("FLUX.1 Redux");
        Files.writeString(folder.resolve("model_index.json"), "{\"_class_name\": \"FluxPriorReduxPipeline\"}");
        assertThatThrownBy(() -> open(folder)).isInstanceOf(InputException.class).hasMessageContaining("FLUX.1 Redux");
    }

    /** It has the shapes of [dev]; a name says which it is. */
    @Test
    void kontextGetsANote() throws IOException {
        Path file = folder.resolve("flux1-dev-Kontext_fp8.safetensors");
        Files.copy(reference().resolve("layouts/flux1-dev-fp8.safetensors"), file);
        try (CpuBackend backend = new CpuBackend(); Pipeline kontext = Pipeline.open(open(file), backend);
                Pipeline dev = Pipeline.open(open(reference().resolve("layouts/flux1-dev-fp8.safetensors")), backend);
                Pipeline schnell = Pipeline.open(open(reference().resolve("schnell")), backend)) {
            assertThat(kontext.notes(kontext.request("x"))).singleElement().asString().contains("Kontext");
            assertThat(dev.notes(dev.request("x"))).isEmpty();
            assertThat(dev.variant().label()).isEqualTo("FLUX.1 [dev]");
            assertThat(schnell.variant().label()).isEqualTo("FLUX.1 [schnell]");
            assertThat(dev.request("").t5Length()).isEqualTo(512);
            assertThat(schnell.request("").t5Length()).isEqualTo(256);
            assertThat(dev.request("").embedded().scale()).isEqualTo(3.5f);
            assertThat(schnell.request("").embedded().isThere()).isFalse();
            assertThat(dev.notes(dev.request("x").toBuilder().guidance(2).build())).singleElement().asString()
                    .contains("without a negative prompt", "--guidance");
            assertThat(dev.request("x").toBuilder().guidance(2).negativePrompt("").build().guided()).isTrue();
            assertThat(dev.request("x").toBuilder().guidance(2).build().guided()).isFalse();
            assertThat(schnell.notes(schnell.request("x").toBuilder().embeddedGuidance(2).build())).singleElement()
                    .asString().contains("embeds no guidance");
        }
    }
}
