package jdiffusion.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.names.LdmVaeNames;
import jdiffusion.model.checkpoint.names.LlamaT5Names;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.Variant;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.sd3.MmditConfig;
import jdiffusion.model.sd3.StabilityNames;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.gguf.GgufWriter;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a path is taken for, what belongs to it, and what is wrong with it. */
class ModelsTest {
    private static final String DENOISER = "model.diffusion_model.";

    @TempDir
    private Path folder;

    private Path model;

    @BeforeEach
    void write() {
        model = folder.resolve("sd3.5_large.safetensors");
        write(model, DENOISER, TinyModel.denoiser(64, 2, 0, true), true);
    }

    /** A denoiser with Stability's names, with a VAE or not. */
    private static void write(Path file, String prefix, Map<String, Tensor> denoiser, boolean vae) {
        write(file, prefix, denoiser, vae, _ -> { });
    }

    private static void write(Path file, String prefix, Map<String, Tensor> denoiser, boolean vae,
                              Consumer<Map<String, Tensor>> change) {
        Map<String, Tensor> all = new TreeMap<>(TinyModel.original(new StabilityNames(), prefix,
                new TinyModel.Tensors("tiny", denoiser)));
        if (vae) {
            all.putAll(TinyModel.original(new LdmVaeNames(), "first_stage_model.",
                    new TinyModel.Tensors("tiny", TinyModel.vae())));
        }
        change.accept(all);
        SafetensorsWriter.write(file, all, Map.of());
    }

    private Path write(String name, Map<String, Tensor> tensors) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        SafetensorsWriter.write(file, tensors, Map.of());
        return file;
    }

    private static ModelSources with(Component component, Path file) {
        return new ModelSources(Map.of(component, file), Set.of(), null, null);
    }

    private AbstractThrowableAssert<?, ? extends Throwable> assertFails(Path path, ModelSources sources) {
        return assertThatThrownBy(() -> {
            try (CpuBackend backend = new CpuBackend(1, Precision.F32);
                    Pipeline pipeline = Pipeline.open(Families.open(path, sources), backend)) {
                pipeline.check(pipeline.request("x").toBuilder().size(16, 16).build());
            }
        }).isInstanceOf(InputException.class).satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n"));
    }

    private String variant(Path path, String chosen) {
        return variantOf(path, chosen).name();
    }

    private Variant variantOf(Path path, String chosen) {
        ModelFiles files = Families.open(path, new ModelSources(Map.of(), Set.of(), null, chosen));
        try (ModelFiles.Open open = files.open(Component.DENOISER)) {
            return Families.of(files).variant(files,
                    MmditConfig.of(Weights.of(open.tensors(), Placement.onHost()), open.config()));
        }
    }

    @Test
    void variants() {
        Path medium3 = folder.resolve("sd3.safetensors");
        write(medium3, "", TinyModel.denoiser(64, 2, 0, false), false);
        Path medium35 = folder.resolve("turbo-medium.safetensors");
        write(medium35, "diffusion_model.", TinyModel.denoiser(64, 2, 1, true), false);
        Path turbo = folder.resolve("SD3.5_Large_Turbo-x.safetensors");
        write(turbo, DENOISER, TinyModel.denoiser(64, 2, 0, true), false);
        assertThat(variant(medium3, null)).isEqualTo("sd3-medium");
        assertThat(variant(medium35, null)).isEqualTo("sd3.5-medium");
        assertThat(variant(model, null)).isEqualTo("sd3.5-large");
        assertThat(variant(turbo, null)).isEqualTo("sd3.5-large-turbo");
        assertThat(variant(turbo, "sd3.5-large")).isEqualTo("sd3.5-large");
        assertThat(variant(model, "sd3.5-large-turbo")).isEqualTo("sd3.5-large-turbo");
        assertThatThrownBy(() -> variant(model, "sd3.5-medium")).isInstanceOf(InputException.class)
                .hasMessageContainingAll("sd3.5_large.safetensors", "--variant says sd3.5-medium",
                        "SD3.5 Large", "2 blocks of width 64");
        assertThatThrownBy(() -> Families.variant("sd4")).hasMessageContainingAll("sd4", "sd3.5-large-turbo");
        assertThat(variantOf(turbo, null).steps()).isEqualTo(4);
        assertThat(variantOf(turbo, null).guidance()).isEqualTo(1);
    }

    @Test
    void encodersAreFoundWhereProgramsKeepThem() throws IOException {
        write("clip/clip_l.safetensors", TinyModel.clip(16, 16));
        write("text_encoders/clip_g.safetensors", TinyModel.clip(32, 32));
        write("text_encoders/t5xxl_fp16.safetensors", TinyModel.t5());
        write("text_encoders/t5xxl_fp8_e4m3fn.safetensors", TinyModel.t5());
        ModelFiles files = Families.open(model, ModelSources.NONE);
        assertThat(Component.values()).allMatch(files::has);
        assertThat(files.place(Component.T5)).contains("t5xxl_fp16.safetensors");
        assertThat(files.notes()).singleElement().asString().contains("t5xxl_fp16", "t5xxl_fp8_e4m3fn", "--t5xxl");
    }

    @Test
    void encodersInTheFoldersOfAComfyInstallation() throws IOException {
        Path checkpoint = folder.resolve("models/checkpoints/sd35/x.safetensors");
        Files.createDirectories(checkpoint.getParent());
        Files.move(model, checkpoint);
        write("models/clip/clip_l.safetensors", TinyModel.clip(16, 16));
        write("models/clip/clip_g.safetensors", TinyModel.clip(32, 32));
        write("models/clip/umt5_xxl.safetensors", TinyModel.t5());
        write("models/text_encoders/google-t5.safetensors", TinyModel.t5());
        ModelFiles files = Families.open(checkpoint, ModelSources.NONE);
        assertThat(Component.values()).allMatch(files::has);
        assertThat(files.place(Component.T5)).contains("google-t5");
    }

    /** Files of other models, damaged ones and whole checkpoints beside it are none of this model's business. */
    @Test
    void whatDoesNotFitIsPassedBy() throws IOException {
        write("clip_l.safetensors", TinyModel.clip(2 * TinyModel.CONTEXT, 16));
        Files.writeString(folder.resolve("clip_g.safetensors"), "nonsense");
        Map<String, Tensor> whole = new TreeMap<>(TinyModel.original(Naming.DIFFUSERS, "t5xxl.",
                new TinyModel.Tensors("tiny", TinyModel.t5())));
        whole.putAll(TinyModel.denoiser(64, 2, 0, true));
        write("t5_and_all.safetensors", whole);
        ModelFiles files = Families.open(model, ModelSources.NONE);
        assertThat(files.has(Component.CLIP_L)).isFalse();
        assertThat(files.has(Component.CLIP_G)).isFalse();
        assertThat(files.has(Component.T5)).isFalse();
        assertFails(model, ModelSources.NONE).hasMessageContainingAll("sd3.5_large.safetensors", "the denoiser",
                "the VAE", "no CLIP-L was found", "clip_l.safetensors", folder.toString(), "--clip-l", "--no-clip-l");
    }

    @Test
    void anAllInOneWithoutT5() throws IOException {
        write(model, DENOISER, TinyModel.denoiser(64, 2, 0, true), true, all -> {
            all.putAll(TinyModel.original(Naming.DIFFUSERS, "text_encoders.clip_l.transformer.",
                    new TinyModel.Tensors("tiny", TinyModel.clip(16, 16))));
            all.putAll(TinyModel.original(Naming.DIFFUSERS, "text_encoders.clip_g.transformer.",
                    new TinyModel.Tensors("tiny", TinyModel.clip(32, 32))));
        });
        ModelFiles files = Families.open(model, ModelSources.NONE);
        assertThat(files.has(Component.T5)).isFalse();
        assertThat(files.missing(Component.T5)).isNull();
        assertThat(files.notes()).singleElement().asString().contains("not T5", "left out", "--t5xxl");
        Path t5 = write("elsewhere/t5.safetensors", TinyModel.t5());
        assertThat(Families.open(model, with(Component.T5, t5)).has(Component.T5)).isTrue();
    }

    @Test
    void aVaeAndADenoiserInDiffusersNames() throws IOException {
        Path bare = write("bare/transformer.safetensors", TinyModel.denoiser(64, 2, 0, true));
        assertFails(bare, ModelSources.NONE).hasMessageContainingAll("transformer.safetensors", "no VAE was found",
                "--vae");
        Path vae = write("bare/ae.safetensors", TinyModel.vae());
        assertThat(Families.open(bare, ModelSources.NONE).place(Component.VAE)).contains("ae.safetensors");
        assertThat(Families.open(bare, with(Component.VAE, vae)).has(Component.VAE)).isTrue();
    }

    @Test
    void theDenoiserInAFileOfItsOwn() throws IOException {
        Path other = write("turbo/denoiser.safetensors", TinyModel.denoiser(64, 2, 1, true));
        ModelFiles files = Families.open(model, with(Component.DENOISER, other));
        assertThat(files.place(Component.DENOISER)).contains("denoiser.safetensors", "diffusers' names");
        assertThat(files.place(Component.VAE)).contains("sd3.5_large.safetensors");
        ModelFiles shapes = Families.open(TestData.defaultModel(), with(Component.DENOISER, other));
        assertThat(shapes.layout()).isEqualTo("diffusers folder with components of other files");
        assertThat(shapes.place(Component.VAE)).isEqualTo("vae");
    }

    @Test
    void aFolderOfFilesThatHoldTheSame() throws IOException {
        write("a_clip_l.safetensors", TinyModel.clip(16, 16));
        write("b_clip_l.safetensors", TinyModel.clip(16, 16));
        assertFails(folder, ModelSources.NONE).hasMessageContainingAll("both a_clip_l.safetensors and"
                + " b_clip_l.safetensors hold CLIP-L", "--clip-l");
        ModelFiles files = Families.open(folder, with(Component.CLIP_L, folder.resolve("b_clip_l.safetensors")));
        assertThat(files.place(Component.CLIP_L)).contains("b_clip_l");
    }

    @Test
    void aForeignFileInAFolderOfFilesIsLeftAside() throws IOException {
        write("foreign.safetensors", Map.of("unet.conv.weight", Tensor.of(new float[4], 2, 2)));
        ModelFiles files = Families.open(folder, ModelSources.NONE);
        assertThat(files.place(Component.DENOISER)).contains("sd3.5_large.safetensors");
        assertThat(files.notes()).contains("foreign.safetensors is left aside: its tensors are of no network that is"
                + " known here");
        Files.delete(model);
        assertFails(folder, ModelSources.NONE).hasMessageContaining("foreign.safetensors is left aside");
    }

    @Test
    void severalFoldersBelowThatHaveAnEncoder() throws IOException {
        for (String name : new String[] {"b", "a", "c"}) {
            write(name + "/clip_l.safetensors", TinyModel.clip(16, 16));
        }
        ModelFiles files = Families.open(model, ModelSources.NONE);
        assertThat(files.notes()).contains("CLIP-L is taken from " + folder.resolve("a/clip_l.safetensors")
                + ", the first by name of the folders that have one, not from " + folder.resolve("b") + ", "
                + folder.resolve("c") + "; choose with --clip-l");
    }

    @Test
    void aFileThatIsAnotherComponent() throws IOException {
        Path t5 = write("t5.safetensors", TinyModel.t5());
        assertFails(t5, ModelSources.NONE).hasMessageContainingAll("holds T5, but no denoiser", "--t5xxl");
        assertFails(model, with(Component.CLIP_L, t5)).hasMessageContainingAll("t5.safetensors: given with --clip-l",
                "it holds T5 and not CLIP-L", "encoder.block.0");
        Path other = write("other.safetensors", Map.of("unet.conv.weight", Tensor.of(new float[4], 2, 2)));
        assertFails(other, ModelSources.NONE).hasMessageContainingAll("no network that is known", "unet.conv.weight");
        assertFails(model, with(Component.VAE, other)).hasMessageContainingAll("other.safetensors", "--vae");
    }

    @Test
    void filesThatAreNotRead() throws IOException {
        assertFails(folder.resolve("none"), ModelSources.NONE).hasMessageContaining("there is no such model");
        assertFails(Files.createDirectory(folder.resolve("empty")), ModelSources.NONE)
                .hasMessageContainingAll("not a model in the diffusers layout", "no .safetensors or .gguf file");
        assertFails(Files.writeString(folder.resolve("x.ckpt"), "x"), ModelSources.NONE)
                .hasMessageContainingAll("x.ckpt", "pickle", ".safetensors");
        assertFails(Files.writeString(folder.resolve("x.txt"), "x"), ModelSources.NONE)
                .hasMessageContainingAll("x.txt", "not a file of weights");
        assertFails(Files.writeString(folder.resolve("sd-00002-of-00003.safetensors"), "x"), ModelSources.NONE)
                .hasMessageContainingAll("one shard of several", "sd.safetensors.index.json");
        assertFails(Files.writeString(folder.resolve("x.gguf"), "GGUF"), ModelSources.NONE)
                .hasMessageContaining("x.gguf");
    }

    @Test
    void aShardIsMissing() throws IOException {
        Path index = Files.writeString(folder.resolve("sd.safetensors.index.json"), "{\"weight_map\": {"
                + "\"joint_blocks.0.x_block.attn.qkv.bias\": \"sd-00001-of-00002.safetensors\","
                + "\"joint_blocks.1.x_block.attn.qkv.bias\": \"sd-00002-of-00002.safetensors\"}}");
        write("sd-00001-of-00002.safetensors",
                Map.of("joint_blocks.0.x_block.attn.qkv.bias", Tensor.of(new float[3], 3)));
        assertFails(index, ModelSources.NONE).hasMessageContainingAll("1 of its 2 shards",
                "sd-00002-of-00002.safetensors");
    }

    @Test
    void bothLayoutsInOneFile() {
        write(model, "", TinyModel.denoiser(64, 2, 0, true), true,
                all -> all.putAll(TinyModel.denoiser(64, 2, 0, true)));
        assertFails(model, ModelSources.NONE).hasMessageContainingAll("sd3.5_large.safetensors",
                "two of the denoiser", "joint_blocks.*", "transformer_blocks.*");
    }

    @Test
    void aBlockOfALargerModel() {
        Map<String, Tensor> large = TinyModel.original(new StabilityNames(), DENOISER,
                new TinyModel.Tensors("large", TinyModel.denoiser(128, 2, 0, true)));
        write(model, DENOISER, TinyModel.denoiser(64, 2, 0, true), true, all -> large.forEach((name, tensor) -> {
            if (name.contains("joint_blocks.1.x_block.attn.qkv")) {
                all.put(name, tensor);
            }
        }));
        assertFails(model, ModelSources.NONE).hasMessageContainingAll("sd3.5_large.safetensors",
                "transformer_blocks.1.attn.to_q.weight (of model.diffusion_model.joint_blocks.1.x_block.attn.qkv.weight"
                + ") is [128, 128], not [64, 64]");
    }

    @Test
    void blocksThatAreMissingOrTooMany() {
        write(model, DENOISER, TinyModel.denoiser(64, 2, 0, true), true, all -> {
            all.put(DENOISER + "joint_blocks.37.x_block.attn.proj.bias", Tensor.of(new float[64], 64));
            all.put(DENOISER + "joint_blocks.0.x_block.foo", Tensor.of(new float[64], 64));
        });
        assertFails(model, ModelSources.NONE)
                .hasMessageContainingAll("unknown model.diffusion_model.joint_blocks.37.x_block.attn.proj.bias",
                        "unknown model.diffusion_model.joint_blocks.0.x_block.foo");
        write(model, DENOISER, TinyModel.denoiser(64, 2, 0, true), true,
                all -> all.remove(DENOISER + "joint_blocks.0.context_block.mlp.fc1.weight"));
        assertFails(model, ModelSources.NONE)
                .hasMessageContaining("missing transformer_blocks.0.ff_context.net.0.proj.weight [256, 64]");
    }

    @Test
    void tensorsThatBelongToNothing() {
        write(model, DENOISER, TinyModel.denoiser(64, 2, 0, true), true,
                all -> all.put("something.else", Tensor.of(new float[1], 1)));
        assertFails(model, ModelSources.NONE).hasMessageContainingAll("sd3.5_large.safetensors", "1 tensor(s)",
                "something.else");
    }

    @Test
    void aScaleThatIsNoNumber() {
        String name = DENOISER + "joint_blocks.0.x_block.attn.qkv.";
        write(model, DENOISER, TinyModel.denoiser(64, 2, 0, true), true,
                all -> all.put(name + "scale_weight", Tensor.of(new float[2], 2)));
        assertFails(model, ModelSources.NONE).hasMessageContainingAll("sd3.5_large.safetensors",
                name + "scale_weight is F32[2]");
    }

    @Test
    void noTokenizer() throws IOException {
        write("clip_l.safetensors", TinyModel.clip(16, 16));
        ModelFiles files = Families.open(model, ModelSources.NONE);
        assertThatThrownBy(() -> files.tokenizer(Component.CLIP_L)).isInstanceOf(InputException.class)
                .hasMessageContainingAll("no tokenizer for CLIP-L", "vocab.json with merges.txt", folder.toString(),
                        "tokenizer_2", "--tokenizer");
        assertThatThrownBy(() -> files.tokenizer(Component.T5))
                .hasMessageContainingAll("no tokenizer for T5", "spiece.model", "tokenizer_3");
        assertFails(model, new ModelSources(Map.of(), Set.of(), folder.resolve("nowhere"), null))
                .hasMessageContainingAll("--tokenizer", "nowhere", "not a folder");
    }

    /** A T5 of ten rows that carries its vocabulary, as llama.cpp writes it; one that does not fit is not used. */
    @Test
    void aVocabularyInsideT5sFile() {
        Path t5 = folder.resolve("t5xxl.gguf");
        writeT5(t5, 10);
        ModelFiles files = Families.open(model, ModelSources.NONE);
        assertThat(files.tokenizer(Component.T5).encode("b t0")).containsExactly(3, 4, 3, 2, 5, 1);
        assertThat(files.vocabulary(Component.T5).path()).isEqualTo(t5);
        writeT5(t5, 12);
        ModelFiles other = Families.open(model, ModelSources.NONE);
        assertThatThrownBy(() -> other.tokenizer(Component.T5)).isInstanceOf(InputException.class)
                .hasMessageContainingAll("no tokenizer for T5", "t5xxl.gguf: its vocabulary has 12 tokens",
                        "10 rows of T5's table");
    }

    private static void writeT5(Path file, int tokens) {
        List<String> all = new ArrayList<>(List.of("<pad>", "</s>", "<unk>", "\u2581", "b"));
        int[] types = new int[tokens];
        Arrays.fill(types, 1);
        types[0] = 3;
        types[1] = 3;
        types[2] = 2;
        for (int i = all.size(); i < tokens; i++) {
            all.add(String.valueOf(i - 5));
        }
        TinyModel.gguf(file, TinyModel.original(LlamaT5Names.NAMES, "", new TinyModel.Tensors("t5", TinyModel.t5())),
                null, new GgufWriter().put("tokenizer.ggml.model", "t5").put("tokenizer.ggml.tokens", all)
                        .put("tokenizer.ggml.scores", new float[tokens]).put("tokenizer.ggml.token_type", types));
    }

    @Test
    void aTruncatedFile() throws IOException {
        try (var file = new RandomAccessFile(model.toFile(), "rw")) {
            file.setLength(file.length() - 1000);
        }
        assertFails(model, ModelSources.NONE).hasMessageContaining("sd3.5_large.safetensors");
    }

    @Test
    void nothingReadsThePrompt() {
        Set<Component> all = Set.copyOf(Component.ENCODERS);
        assertFails(model, new ModelSources(Map.of(), all, null, null))
                .hasMessageContaining("nothing reads the prompt");
    }

    @Test
    void theShapeSaysWhichClip() {
        Map<String, Tensor> tokens = Map.of("text_model.embeddings.token_embedding.weight",
                Tensor.of(new float[1280], 1, 1280));
        Contents contents = Contents.of(new TinyModel.Tensors("clip_l", tokens), "clip_l.safetensors", Families.ALL.getFirst());
        assertThat(contents.parts()).containsOnlyKeys(Component.CLIP_G);
        assertThat(contents.withClipAs(Component.CLIP_L, new TinyModel.Tensors("clip_l", tokens)).parts())
                .containsOnlyKeys(Component.CLIP_G);
        Map<String, Tensor> small = Map.of("text_model.embeddings.token_embedding.weight",
                Tensor.of(new float[8], 1, 8));
        Contents unnamed = Contents.of(new TinyModel.Tensors("x", small), "x.safetensors", Families.ALL.getFirst());
        assertThat(unnamed.parts()).containsOnlyKeys(Component.CLIP_L);
        assertThat(unnamed.withClipAs(Component.CLIP_G, new TinyModel.Tensors("x", small)).parts())
                .containsOnlyKeys(Component.CLIP_G);
    }
}
