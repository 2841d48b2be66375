package jdiffusion.model.sdxl;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.convert.CheckpointSource;
import jdiffusion.model.convert.ExportOptions;
import jdiffusion.model.convert.ExportProgress;
import jdiffusion.model.convert.ExportSource;
import jdiffusion.model.convert.Exporter;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.quantize.QuantizeRules;
import jdiffusion.model.sampling.EdmScheduler;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.model.synthetic.SyntheticSource;
import jdiffusion.model.text.ClipTextEncoder;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.model.vae.Vae;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FourBitWeight;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** SDXL in every layout is the same model, and goes from one to the other and back without a change. */
class SdxlFilesTest {
    private static final Set<Component> ALL = EnumSet.allOf(Component.class);

    @TempDir
    private Path folder;

    private static Path reference() {
        return TestData.reference().resolve("sdxl");
    }

    private static ExportOptions options(String rules) {
        return new ExportOptions(ALL, rules == null ? null : QuantizeRules.parse(rules), null,
                ExportOptions.DIFFUSERS_SHARD);
    }

    private static void export(Path model, String rules, Consumer<Exporter> how) {
        try (CheckpointSource source = new CheckpointSource(Families.open(model, ModelSources.NONE))) {
            how.accept(new Exporter(source, options(rules), ExportProgress.NONE));
        }
    }

    /** A small model with random weights. */
    private Path synthetic(String kind) {
        Path tokenizers = TestData.defaultModel();
        int vocabulary = Tokenizer.load(tokenizers.resolve("tokenizer")).size();
        Path made = folder.resolve(kind);
        try (ExportSource source = new SyntheticSource(Families.synthetic(kind)
                .tiny(new Vocabularies(vocabulary, vocabulary, 1)), 3, DType.F16, tokenizers)) {
            new Exporter(source, options(null), ExportProgress.NONE).writeDiffusers(made);
        }
        return made;
    }

    private static byte[] bytes(Tensor tensor) {
        return tensor.data().asSlice(0, tensor.byteSize()).toArray(ValueLayout.JAVA_BYTE);
    }

    private static void assertSame(TensorSource actual, TensorSource expected) {
        assertThat(actual.names()).isEqualTo(expected.names());
        for (String name : expected.names()) {
            assertThat(actual.shape(name)).as(name).isEqualTo(expected.shape(name));
            assertThat(actual.find(name).type()).as(name).isEqualTo(expected.find(name).type());
            assertThat(bytes(actual.find(name))).as(name).isEqualTo(bytes(expected.find(name)));
        }
    }

    /** Tensors, and what their networks are made of. */
    private static void assertSame(Path actual, Path expected) {
        ModelFiles one = Families.open(actual, ModelSources.NONE);
        ModelFiles other = Families.open(expected, ModelSources.NONE);
        assertThat(one.architecture()).isInstanceOf(Sdxl.class);
        for (Component component : one.architecture().components()) {
            assertThat(one.has(component)).as(component.label()).isEqualTo(other.has(component));
            if (one.has(component)) {
                try (ModelFiles.Open a = one.open(component); ModelFiles.Open b = other.open(component)) {
                    assertSame(a.tensors(), b.tensors());
                    assertThat(load(one, component, a)).isEqualTo(load(other, component, b));
                }
            }
        }
        assertThat(one.scheduler()).isEqualTo(other.scheduler());
        assertThat(one.index().flag("force_zeros_for_empty_prompt", true))
                .isEqualTo(other.index().flag("force_zeros_for_empty_prompt", true));
    }

    /** Loads a network, all of whose tensors must be read, and tells its sizes. */
    private static String load(ModelFiles files, Component component, ModelFiles.Open open) {
        Object network = files.architecture().network(component).load(
                Weights.of(open.tensors(), Placement.onHost()), open.config());
        return switch (network) {
            case Unet unet -> unet.config().toString();
            case Vae vae -> vae.config().toString();
            case ClipTextEncoder clip -> clip.config().toString();
            default -> throw new AssertionError(network.getClass());
        };
    }

    private static Set<String> names(Path safetensors) {
        try (SafetensorsFile file = SafetensorsFile.open(safetensors)) {
            return Set.copyOf(file.names());
        }
    }

    @Test
    void throughTheSingleFileAndBack() throws IOException {
        Path model = synthetic("sdxl");
        assertThat(ConfigFile.read(model.resolve("text_encoder/config.json")).kind()).contains("CLIPTextModel ");
        Path single = folder.resolve("single");
        export(model, null, e -> e.writeSingle(single));
        assertThat(names(single.resolve("single.safetensors"))).contains(
                "conditioner.embedders.0.transformer.text_model.final_layer_norm.bias",
                "conditioner.embedders.1.model.transformer.resblocks.1.attn.in_proj_weight",
                "conditioner.embedders.1.model.text_projection", "first_stage_model.quant_conv.weight",
                "model.diffusion_model.label_emb.0.2.bias",
                "model.diffusion_model.output_blocks.3.2.conv.weight").noneMatch(name -> name.contains("resnets"));
        assertThat(single.resolve("tokenizer/vocab.json")).exists();
        assertThat(single.resolve("tokenizer_2/vocab.json")).exists();
        assertSame(single, model);
        Path back = folder.resolve("back");
        export(single, null, e -> e.writeDiffusers(back));
        assertSame(back, model);
        assertThat(ConfigFile.read(back.resolve("vae/config.json")).flag("use_quant_conv", false)).isTrue();
        Path file = folder.resolve("all.safetensors");
        export(model, null, e -> e.writeFile(file));
        assertThat(names(file)).isEqualTo(names(single.resolve("single.safetensors")));
        // As a trainer's own file has the model in it, with numbers in what stands before the encoders' names.
        TestData.rewrite(file, all -> {
            Map<String, Tensor> before = Map.copyOf(all);
            all.clear();
            before.forEach((name, tensor) -> all.put("state_dict." + name, tensor));
        });
        ModelFiles wrapped = Families.open(file, ModelSources.NONE);
        ModelFiles plain = Families.open(model, ModelSources.NONE);
        for (Component component : wrapped.architecture().components()) {
            try (ModelFiles.Open one = wrapped.open(component); ModelFiles.Open other = plain.open(component)) {
                assertThat(one.tensors().names()).as("%s", component).isEqualTo(other.tensors().names());
            }
        }
    }

    @Test
    void theInpaintingModelReadsNineChannels() {
        Path model = synthetic("sdxl-inpainting");
        Path file = folder.resolve("inpainting.safetensors");
        export(model, null, e -> e.writeFile(file));
        assertSame(file, model);
    }

    /** A denoiser alone, under the single file's names without a prefix, and without a configuration. */
    @Test
    void gguf() throws Exception {
        Path model = synthetic("sdxl");
        Path gguf = folder.resolve("unet.gguf");
        export(model, "q8_0", e -> e.writeGguf(gguf));
        ModelFiles files = Families.open(model, new ModelSources(Map.of(Component.DENOISER, gguf), Set.of(), null,
                null));
        try (ModelFiles.Open quantised = files.open(Component.DENOISER);
                ModelFiles.Open plain = Families.open(model, ModelSources.NONE).open(Component.DENOISER)) {
            assertThat(quantised.tensors().names()).isEqualTo(plain.tensors().names());
            String conv = "down_blocks.1.resnets.0.conv1.weight";
            assertThat(bytes(quantised.tensors().find(conv))).isEqualTo(bytes(plain.tensors().find(conv)));
            assertThat(quantised.tensors().weight("mid_block.attentions.0.proj_in.weight"))
                    .isInstanceOf(Weight.Blocks.class);
            assertThat(load(files, Component.DENOISER, quantised)).isEqualTo(load(files, Component.DENOISER, plain));
        }
    }

    /** What its config.json says stands in two tensors of its single file, beside all prefixes. */
    @Test
    void playgroundsMeansAndDeviations() throws Exception {
        Path model = synthetic("sdxl");
        Path plain = folder.resolve("plain.safetensors");
        export(model, null, e -> e.writeFile(plain));
        Path published = folder.resolve("published.safetensors");
        Files.copy(plain, published);
        float[] means = {-1.6574f, 1.886f, -1.383f, 2.5155f};
        float[] deviations = {8.4927f, 5.9022f, 6.5498f, 5.2299f};
        // As published: no configuration in the metadata.
        try (SafetensorsFile file = SafetensorsFile.open(plain)) {
            Map<String, Tensor> tensors = new TreeMap<>();
            file.names().forEach(name -> tensors.put(name, file.find(name)));
            tensors.put("edm_mean", Tensor.of(means, 1, 4, 1, 1));
            tensors.put("edm_std", Tensor.of(deviations, 1, 4, 1, 1));
            Files.delete(published);
            SafetensorsWriter.write(published, tensors, Map.of());
        }
        Path folders = folder.resolve("playground");
        export(published, null, e -> e.writeDiffusers(folders));
        assertThat(names(folders.resolve("vae/diffusion_pytorch_model.safetensors"))).doesNotContain("edm_mean");
        Path back = folder.resolve("back.safetensors");
        export(folders, null, e -> e.writeFile(back));
        for (Path path : List.of(published, folders, back)) {
            ModelFiles files = Families.open(path, ModelSources.NONE);
            assertThat(files.scheduler()).as(path.toString()).isInstanceOf(EdmScheduler.class);
            try (ModelFiles.Open open = files.open(Component.VAE)) {
                LatentSpace space = new Sdxl().latents(
                        Vae.load(Weights.of(open.tensors(), Placement.onHost()), open.config()).config());
                assertThat(space.scale()).isEqualTo(0.5f);
                assertThat(space.means()).containsExactly(means);
                assertThat(space.deviations()).containsExactly(deviations);
            }
        }
        try (SafetensorsFile one = SafetensorsFile.open(back);
                SafetensorsFile other = SafetensorsFile.open(published)) {
            assertThat(one.names()).isEqualTo(other.names());
            for (String name : List.of("edm_mean", "edm_std")) {
                assertThat(bytes(one.find(name))).isEqualTo(bytes(other.find(name)));
                assertThat(one.shape(name)).isEqualTo(other.shape(name));
            }
        }
    }

    /** Each reference folder becomes a single file and a folder again. */
    @TestFactory
    Stream<DynamicTest> referenceFolders() {
        Path references = reference();
        return Stream.of("tiny", "tiny-turbo", "tiny-playground", "tiny-inpaint", "tiny-refiner")
                .map(name -> DynamicTest.dynamicTest(name, () -> {
                    Path model = references.resolve(name);
                    Path file = folder.resolve(name + ".safetensors");
                    export(model, null, e -> e.writeFile(file));
                    String prefix = "conditioner.embedders." + (name.equals("tiny-refiner") ? 0 : 1) + ".model.";
                    assertThat(names(file)).contains(prefix + "text_projection");
                    assertSame(file, model);
                    assertThat(Families.open(file, ModelSources.NONE).notes()).noneMatch(note -> note.contains("CLIP-L"
                            + ", which is left out"));
                    Path back = folder.resolve(name + "-back");
                    export(file, null, e -> e.writeDiffusers(back));
                    assertSame(back, model);
                }));
    }

    /** To the byte, but for the buffers that nothing needs. */
    @Test
    void theReferenceSingleFileAndBack() {
        Path single = reference().resolve("layouts/single/sd_xl_tiny.safetensors");
        Path folders = folder.resolve("folders");
        export(single, null, e -> e.writeDiffusers(folders));
        assertSame(folders, single);
        Path again = folder.resolve("sd_xl_tiny");
        export(folders, null, e -> e.writeSingle(again));
        try (SafetensorsFile one = SafetensorsFile.open(again.resolve("sd_xl_tiny.safetensors"));
                SafetensorsFile other = SafetensorsFile.open(single)) {
            List<String> left = new ArrayList<>(other.names());
            left.removeAll(one.names());
            assertThat(left).containsExactlyInAnyOrder("denoiser.sigmas",
                    "conditioner.embedders.0.transformer.text_model.embeddings.position_ids",
                    "conditioner.embedders.1.model.logit_scale");
            for (String name : one.names()) {
                assertThat(one.shape(name)).as(name).isEqualTo(other.shape(name));
                assertThat(bytes(one.find(name))).as(name).isEqualTo(bytes(other.find(name)));
            }
        }
    }

    @Test
    void theReferenceGgufIsTheSingleFilesDenoiser() {
        Path layouts = reference().resolve("layouts");
        Path single = layouts.resolve("single/sd_xl_tiny.safetensors");
        Path gguf = layouts.resolve("gguf/sd_xl_tiny-unet-q8_0.gguf");
        ModelFiles files = Families.open(single, new ModelSources(Map.of(Component.DENOISER, gguf), Set.of(), null,
                null));
        try (ModelFiles.Open a = files.open(Component.DENOISER);
                ModelFiles.Open b = Families.open(single, ModelSources.NONE).open(Component.DENOISER)) {
            assertThat(a.tensors().names()).isEqualTo(b.tensors().names());
            assertThat(load(files, Component.DENOISER, a)).isEqualTo(load(files, Component.DENOISER, b));
            Weight quantised = a.tensors().weight("mid_block.attentions.0.proj_in.weight");
            assertThat(quantised).isInstanceOfSatisfying(Weight.Blocks.class,
                    blocks -> assertThat(blocks.format()).isEqualTo(BlockFormat.Q8_0));
        }
    }

    @Test
    void nf4() {
        Path model = reference().resolve("layouts/nf4");
        Path again = folder.resolve("nf4");
        export(model, null, e -> e.writeDiffusers(again));
        try (SafetensorsFile one = SafetensorsFile.open(again.resolve("unet/diffusion_pytorch_model.safetensors"));
                SafetensorsFile other = SafetensorsFile.open(
                        model.resolve("unet/diffusion_pytorch_model.safetensors"))) {
            assertThat(one.names()).isEqualTo(other.names());
            for (String name : one.names()) {
                // The state names the type that bitsandbytes gives expanded weights, which is bfloat16 in all we write.
                assertThat(new String(bytes(one.find(name)), StandardCharsets.ISO_8859_1)
                        .replace("\"dtype\": \"bfloat16\"", "\"dtype\": \"float16\"")).as(name)
                        .isEqualTo(new String(bytes(other.find(name)), StandardCharsets.ISO_8859_1));
            }
        }
        ModelFiles files = Families.open(model, ModelSources.NONE);
        try (ModelFiles.Open open = files.open(Component.DENOISER)) {
            load(files, Component.DENOISER, open);
            assertThat(open.tensors().weight("mid_block.attentions.0.proj_in.weight"))
                    .isInstanceOf(FourBitWeight.class);
        }
    }
}
