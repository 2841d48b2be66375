package jdiffusion.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.names.ClipNames;
import jdiffusion.model.checkpoint.names.LdmVaeNames;
import jdiffusion.model.checkpoint.names.LlamaT5Names;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.model.families.Families;
import jdiffusion.model.sd3.StabilityNames;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** The same model in every layout is the same, tensor by tensor. */
class LayoutsTest {
    private static final Map<Component, Map<String, Tensor>> TINY = new EnumMap<>(Map.of(
            Component.DENOISER, TinyModel.denoiser(64, 2, 1, true), Component.VAE, TinyModel.vae(),
            Component.CLIP_L, TinyModel.clip(16, 16), Component.CLIP_G, TinyModel.clip(32, 32),
            Component.T5, TinyModel.t5()));

    @TempDir
    private Path folder;

    private static TensorSource tiny(Component component) {
        return new TinyModel.Tensors("tiny", TINY.get(component));
    }

    private static void assertSame(TensorSource actual, TensorSource expected) {
        assertThat(actual.names()).containsExactlyInAnyOrderElementsOf(expected.names());
        for (String name : expected.names()) {
            assertThat(actual.shape(name)).as(name).isEqualTo(expected.shape(name));
            assertThat(Arrays.mismatch(values(actual, name), values(expected, name))).as(name).isEqualTo(-1);
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

    private static void assertTiny(ModelFiles model, Set<Component> components) {
        for (Component component : components) {
            try (ModelFiles.Open open = model.open(component)) {
                assertSame(open.tensors(), tiny(component));
            }
        }
    }

    @TestFactory
    Stream<DynamicTest> referenceLayouts() {
        Path layouts = TestData.reference().resolve("layouts");
        return Stream.of("sharded", "single", "single/sd3.5_medium_shapes.safetensors", "all_in_one.safetensors")
                .map(name -> DynamicTest.dynamicTest(name, () -> {
                    ModelFiles model = Families.open(layouts.resolve(name), ModelSources.NONE);
                    ModelFiles diffusers = Families.open(layouts.resolve("diffusers"), ModelSources.NONE);
                    for (Component component : Component.values()) {
                        try (ModelFiles.Open open = model.open(component);
                                ModelFiles.Open expected = diffusers.open(component)) {
                            assertSame(open.tensors(), expected.tensors());
                        }
                        if (Component.ENCODERS.contains(component)) {
                            int[] ids = model.tokenizer(component).encode("a red! circle", 12).ids();
                            assertThat(ids).containsExactly(diffusers.tokenizer(component)
                                    .encode("a red! circle", 12).ids());
                        }
                    }
                    assertThat(model.scheduler()).isEqualTo(diffusers.scheduler());
                }));
    }

    /** Going back from diffusers' names gives the very file that Stability's names were made with. */
    @Test
    void backToTheOriginal() {
        Path layouts = TestData.reference().resolve("layouts");
        Map<String, Tensor> made = new TreeMap<>();
        ModelFiles diffusers = Families.open(layouts.resolve("diffusers"), ModelSources.NONE);
        try (ModelFiles.Open denoiser = diffusers.open(Component.DENOISER);
                ModelFiles.Open vae = diffusers.open(Component.VAE);
                SafetensorsFile single = SafetensorsFile.open(
                        layouts.resolve("single/sd3.5_medium_shapes.safetensors"))) {
            made.putAll(TinyModel.original(new StabilityNames(), "model.diffusion_model.", denoiser.tensors()));
            made.putAll(TinyModel.original(new LdmVaeNames(), "first_stage_model.", vae.tensors()));
            assertSame(new TinyModel.Tensors("made", made), single);
        }
    }

    /** As city96 writes GGUF: the denoiser alone with nothing before its names, T5 with llama.cpp's. */
    @Test
    void ggufOfDenoiserAndT5() throws Exception {
        Path denoiser = folder.resolve("sd3.5-F32.gguf");
        TinyModel.gguf(denoiser, TinyModel.original(new StabilityNames(), "", tiny(Component.DENOISER)), null);
        TinyModel.gguf(folder.resolve("t5-v1_1-xxl-encoder.gguf"),
                TinyModel.original(LlamaT5Names.NAMES, "", tiny(Component.T5)), null);
        Path vae = Files.createDirectories(folder.resolve("vae")).resolve("x.safetensors");
        SafetensorsWriter.write(vae, TINY.get(Component.VAE), Map.of());
        ModelFiles model = Families.open(denoiser, ModelSources.NONE);
        assertTiny(model, Set.of(Component.DENOISER, Component.T5, Component.VAE));
        assertThat(model.missing(Component.CLIP_L)).contains("no CLIP-L was found", "clip_l.safetensors", "--clip-l",
                "--no-clip-l", "holds the denoiser", "vae");
        assertThat(model.missing(Component.VAE)).isNull();
    }

    /** As stable-diffusion.cpp writes GGUF: everything in one file, one name of its own. */
    @Test
    void ggufOfAll() {
        Map<String, Tensor> all = new TreeMap<>();
        all.putAll(TinyModel.original(new StabilityNames(), "model.diffusion_model.", tiny(Component.DENOISER)));
        all.putAll(TinyModel.original(Naming.DIFFUSERS, "vae.", tiny(Component.VAE)));
        all.putAll(TinyModel.original(new ClipNames(), "text_encoders.clip_l.transformer.", tiny(Component.CLIP_L)));
        all.putAll(TinyModel.original(new ClipNames(), "text_encoders.clip_g.transformer.", tiny(Component.CLIP_G)));
        all.putAll(TinyModel.original(Naming.DIFFUSERS, "text_encoders.t5xxl.transformer.", tiny(Component.T5)));
        assertThat(all).containsKey("text_encoders.clip_g.transformer.text_model.text_projection");
        Path file = folder.resolve("all.gguf");
        TinyModel.gguf(file, all, null);
        assertTiny(Families.open(file, ModelSources.NONE), TINY.keySet());
    }

    /** A matrix in blocks is cut into its parts by rows. */
    @Test
    void ggufInBlocks() {
        Path file = folder.resolve("q8.gguf");
        TinyModel.gguf(file, TinyModel.original(new StabilityNames(), "", tiny(Component.DENOISER)), BlockFormat.Q8_0);
        try (ModelFiles.Open open = Families.open(file, ModelSources.NONE).open(Component.DENOISER)) {
            for (String name : new String[] {"transformer_blocks.0.attn.to_k.weight", "norm_out.linear.weight"}) {
                float[] expected = values(tiny(Component.DENOISER), name);
                float[] actual = values(open.tensors(), name);
                assertThat(open.tensors().find(name)).isNull();
                assertThat(actual).hasSameSizeAs(expected);
                float worst = 0;
                for (int i = 0; i < actual.length; i++) {
                    worst = Math.max(worst, Math.abs(actual[i] - expected[i]));
                }
                // Values are below 0.021, in blocks of 127 steps each way, with scales of 11 bits.
                assertThat(worst).isBetween(Float.MIN_VALUE, 0.021f / 127 / 2 + 0.021f / 2048);
            }
        }
    }

    /** Every published way to put components into one file or more. */
    @Test
    void prefixes() {
        Map<String, Tensor> all = new TreeMap<>();
        all.putAll(TinyModel.original(Naming.DIFFUSERS, "", tiny(Component.DENOISER)));
        all.putAll(TinyModel.original(new LdmVaeNames(), "vae.", tiny(Component.VAE)));
        all.putAll(TinyModel.original(Naming.DIFFUSERS, "text_encoders.clip_l.transformer.", tiny(Component.CLIP_L)));
        all.put("text_encoders.clip_l.logit_scale", Tensor.of(new float[1], 1));
        all.putAll(TinyModel.original(Naming.DIFFUSERS, "text_encoder_2.", tiny(Component.CLIP_G)));
        all.putAll(TinyModel.original(LlamaT5Names.NAMES, "t5xxl.", tiny(Component.T5)));
        Path file = folder.resolve("odd.safetensors");
        SafetensorsWriter.write(file, all, Map.of());
        assertTiny(Families.open(file, ModelSources.NONE), TINY.keySet());
    }

    /** Published files of CLIP-L alone have no projection, since SD3 takes its pooled output as it is. */
    @Test
    void clipLWithoutProjection() {
        Map<String, Tensor> clip = new TreeMap<>(TINY.get(Component.CLIP_L));
        clip.remove("text_projection.weight");
        SafetensorsWriter.write(folder.resolve("clip_l.safetensors"), clip, Map.of());
        SafetensorsWriter.write(folder.resolve("model.safetensors"), TINY.get(Component.DENOISER), Map.of());
        try (ModelFiles.Open open = Families.open(folder.resolve("model.safetensors"), ModelSources.NONE)
                .open(Component.CLIP_L)) {
            Tensor projection = open.tensors().find("text_projection.weight");
            assertThat(projection.shape().dims()).containsExactly(16, 16);
            assertThat(projection.get(3, 3)).isEqualTo(1);
            assertThat(projection.get(3, 4)).isZero();
            assertThat(open.config().integer("num_attention_heads", 0)).isEqualTo(2);
            assertThat(open.config().text("hidden_act", "")).isEqualTo("quick_gelu");
        }
    }
}
