package jdiffusion.model.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.names.LdmVaeNames;
import jdiffusion.model.checkpoint.names.LlamaT5Names;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.model.families.Families;
import jdiffusion.model.sampling.FlowScheduler;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sd3.StabilityNames;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that hold more than is needed, under names that other programs changed, and folders that are not whole. */
class UsersFilesTest {
    private static final Map<Component, Map<String, Tensor>> TINY = Map.of(
            Component.DENOISER, TinyModel.denoiser(64, 2, 1, true), Component.VAE, TinyModel.vae(),
            Component.CLIP_L, TinyModel.clip(16, 16), Component.CLIP_G, TinyModel.clip(32, 32),
            Component.T5, TinyModel.t5());

    @TempDir
    private Path folder;

    private Path write(String name, Map<String, Tensor> tensors) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        SafetensorsWriter.write(file, tensors, Map.of());
        return file;
    }

    private static Map<String, Tensor> renamed(Component component, UnaryOperator<String> names) {
        Map<String, Tensor> all = new TreeMap<>();
        TINY.get(component).forEach((name, tensor) -> all.put(names.apply(name), tensor));
        return all;
    }

    private static Tensor junk() {
        return Tensor.of(new float[] {1, 2}, 2);
    }

    private static void assertTiny(ModelFiles files, Component component) {
        try (ModelFiles.Open open = files.open(component)) {
            TensorSource tensors = open.tensors();
            Map<String, Tensor> tiny = TINY.get(component);
            assertThat(tensors.names()).isEqualTo(new TreeMap<>(tiny).keySet());
            tiny.forEach((name, tensor) ->
                    assertThat(Arrays.mismatch(values(tensors, name), tensor.toArray())).as(name).isEqualTo(-1));
        }
    }

    /** Of a matrix whose halves change places there is no single tensor. */
    private static float[] values(TensorSource source, String name) {
        if (source.find(name) != null) {
            return source.find(name).toArray();
        }
        Weight weight = source.weight(name);
        float[] all = new float[weight.rows() * weight.cols()];
        for (int row = 0; row < weight.rows(); row++) {
            weight.read(row, 0, weight.cols(), all, row * weight.cols());
        }
        return all;
    }

    private ModelFiles with(Component component, Path file) throws IOException {
        Path model = folder.resolve("model/denoiser.safetensors");
        if (!Files.exists(model)) {
            write("model/denoiser.safetensors", TINY.get(Component.DENOISER));
        }
        return Families.open(component == Component.DENOISER ? file : model, component == Component.DENOISER
                ? ModelSources.NONE : new ModelSources(Map.of(component, file), Set.of(), null, null));
    }

    /** Each network in a file of its own, with what stands in for its other half and for a trainer's leftovers. */
    private static String folder(Component component) {
        return Families.ALL.getFirst().folder(component);
    }

    @ParameterizedTest
    @CsvSource({"CLIP_L,vision_model.encoder.layers.0.mlp.fc1.weight;visual_projection.weight;logit_scale,3 of CLIP's",
        "CLIP_G,vision_model.embeddings.class_embedding;text_model.embeddings.position_ids;attn_mask,1 of CLIP's other",
        "T5,decoder.block.0.layer.0.SelfAttention.q.weight;lm_head.weight;decoder.final_layer_norm.weight,3 of T5's",
        "VAE,loss.discriminator.main.0.weight;loss.logvar;loss.perceptual_loss.net.slice1.0.bias,3 of what the VAE",
        "DENOISER,model_ema.decay;model_ema.x_embedderproj;optimizer.0.exp_avg;global_step,2 of averages",
        "DENOISER,transformer_blocks.0.attn.processor.to_k_ip.weight;image_proj.norm.weight,2 of an IP-Adapter",
        "DENOISER,alphas_cumprod;sqrt_one_minus_alphas_cumprod;posterior_mean_coef1;betas,4 of training"})
    void otherHalvesAreLeftAside(Component component, String extra, String count) throws IOException {
        Map<String, Tensor> all = new TreeMap<>(TINY.get(component));
        for (String name : extra.split(";")) {
            all.put(name, junk());
        }
        ModelFiles files = with(component, write("whole.safetensors", all));
        assertTiny(files, component);
        assertThat(files.notes()).anySatisfy(note -> assertThat(note).startsWith("whole.safetensors: ")
                .contains("not needed and left aside: ", count));
        all.put(all.keySet().stream().filter(name -> TINY.get(component).containsKey(name)).findFirst().orElseThrow()
                + ".foreign", junk());
        ModelFiles foreign = with(component, write("whole.safetensors", all));
        try (ModelFiles.Open open = foreign.open(component)) {
            assertThat(open.tensors().names()).anyMatch(name -> name.endsWith(".foreign"));
        }
    }

    @ParameterizedTest
    @EnumSource(Component.class)
    void otherHalvesInAFolderOfDiffusers(Component component) throws IOException {
        Path model = TestData.copyOfDefaultModel(folder.resolve("m"));
        Path file = model.resolve(folder(component)).resolve(component.weights() + ".safetensors");
        Set<String> before = Set.copyOf(TestData.names(file));
        String name = switch (component) {
            case CLIP_L, CLIP_G -> "vision_model.post_layernorm.weight";
            case T5 -> "lm_head.weight";
            case VAE -> "loss.logvar";
            case DENOISER -> "ema.proj_out.weight";
        };
        TestData.rewrite(file, all -> all.put(name, junk()));
        ModelFiles files = Families.open(model, ModelSources.NONE);
        try (ModelFiles.Open open = files.open(component)) {
            assertThat(open.tensors().names()).isEqualTo(before);
        }
        assertThat(files.notes()).singleElement().asString()
                .startsWith(folder(component) + ": 1 tensor is not needed and left aside: 1 of ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "all"})
    void theTokenTableOfT5HasThreeNames(String name) throws IOException {
        Map<String, Tensor> all = new TreeMap<>(TINY.get(Component.T5));
        Tensor table = all.remove("shared.weight");
        if (name.equals("all")) {
            all.put("shared.weight", table);
            all.put("decoder.embed_tokens.weight", table);
        } else {
            all.put(name, table);
        }
        assertTiny(with(Component.T5, write("t5.safetensors", all)), Component.T5);
    }

    @ParameterizedTest
    @EnumSource(Component.class)
    void namesAsWrappersChangeThem(Component component) throws IOException {
        for (UnaryOperator<String> wrapper : List.<UnaryOperator<String>>of(name -> "_orig_mod." + name,
                name -> "module." + name, name -> "module._orig_mod." + name, name -> "_orig_mod.module." + name,
                name -> name.replaceFirst("\\.(\\d+)\\.", ".$1._orig_mod."),
                name -> "_fsdp_wrapped_module." + name.replaceFirst("\\.(\\d+)\\.", ".$1._fsdp_wrapped_module."),
                name -> "state_dict." + name, name -> "my_trainer.student." + name, name -> "ema_model." + name,
                name -> "net." + name)) {
            assertTiny(with(component, write("wrapped.safetensors", renamed(component, wrapper))), component);
        }
    }

    @Test
    void wrappedNamesOfOtherLayouts() throws IOException {
        Map<String, Tensor> all = new TreeMap<>();
        TinyModel.original(new StabilityNames(), "model.diffusion_model._orig_mod.",
                new TinyModel.Tensors("tiny", TINY.get(Component.DENOISER))).forEach(all::put);
        TinyModel.original(new LdmVaeNames(), "first_stage_model.module.",
                new TinyModel.Tensors("tiny", TINY.get(Component.VAE))).forEach(all::put);
        TinyModel.original(Naming.DIFFUSERS, "text_encoders._orig_mod.clip_l.transformer.",
                new TinyModel.Tensors("tiny", TINY.get(Component.CLIP_L))).forEach(all::put);
        TinyModel.original(LlamaT5Names.NAMES, "text_encoders.t5xxl.module.transformer.",
                new TinyModel.Tensors("tiny", TINY.get(Component.T5))).forEach(all::put);
        Path gguf = folder.resolve("all.gguf");
        TinyModel.gguf(gguf, all, null);
        for (Path file : List.of(write("all.safetensors", all), gguf)) {
            ModelFiles files = Families.open(file, ModelSources.NONE);
            for (Component component : List.of(Component.DENOISER, Component.VAE, Component.CLIP_L, Component.T5)) {
                assertTiny(files, component);
            }
        }
        for (String form : List.of("text_encoders.clip_l.transformer.,text_encoders.clip_g.transformer.,"
                + "text_encoders.t5xxl.transformer.", "text_encoder.,text_encoder_2.,text_encoder_3.")) {
            String[] prefixes = form.split(",");
            Map<String, Tensor> wrapped = new TreeMap<>();
            List<Component> encoders = List.of(Component.CLIP_L, Component.CLIP_G, Component.T5);
            encoders.forEach(encoder -> TINY.get(encoder).forEach((name, tensor) -> wrapped.put("pipeline."
                    + prefixes[encoders.indexOf(encoder)] + name, tensor)));
            TINY.get(Component.DENOISER).forEach((name, tensor) ->
                    wrapped.put("pipeline.transformer." + name, tensor));
            TINY.get(Component.VAE).forEach((name, tensor) -> wrapped.put("pipeline.vae." + name, tensor));
            ModelFiles files = Families.open(write("wrapped.safetensors", wrapped), ModelSources.NONE);
            for (Component component : Component.values()) {
                assertTiny(files, component);
            }
        }
        all.put("model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight", junk());
        assertThatThrownBy(() -> Families.open(write("twice.safetensors", all), ModelSources.NONE))
                .isInstanceOf(InputException.class).hasMessageContaining("the file mixes two layouts");
    }

    /** As diffusers named the attention of VAEs before, and half a VAE. */
    @Test
    void olderNamesOfDiffusers() throws IOException {
        Map<String, String> older = Map.of("to_q.", "query.", "to_k.", "key.", "to_v.", "value.", "to_out.0.",
                "proj_attn.");
        Map<String, Tensor> all = renamed(Component.VAE, name -> older.keySet().stream().filter(name::contains)
                .findFirst().map(part -> name.replace(part, older.get(part))).orElse(name));
        assertThat(all.keySet()).anyMatch(name -> name.endsWith("attentions.0.proj_attn.weight"));
        assertTiny(with(Component.VAE, write("vae.safetensors", all)), Component.VAE);
    }

    @Test
    void averagesBesideTheWeights() throws IOException {
        Map<String, Tensor> all = renamed(Component.DENOISER, name -> "net." + name);
        all.keySet().stream().toList().forEach(name -> all.put(name.replaceFirst("net", "net_ema"), junk()));
        ModelFiles files = Families.open(write("both.safetensors", all), ModelSources.NONE);
        assertTiny(files, Component.DENOISER);
        assertThat(files.notes()).anyMatch(note -> note.contains("of averages of weights (EMA)"));
    }

    /** A part of a network that is saved alone lacks what stands before its names in the whole. */
    @Test
    void encodersThatLackTheirOwnPrefix() throws IOException {
        for (Component clip : List.of(Component.CLIP_L, Component.CLIP_G)) {
            assertTiny(with(clip, write("clip.safetensors", renamed(clip,
                    name -> name.replaceFirst("^text_model\\.", "")))), clip);
        }
        assertTiny(with(Component.T5, write("t5.safetensors", renamed(Component.T5, name -> name.equals("shared.weight")
                ? "embed_tokens.weight" : name.replaceFirst("^encoder\\.", "")))), Component.T5);
    }

    @ParameterizedTest
    @EnumSource(value = Component.class, names = {"CLIP_L", "CLIP_G", "T5"})
    void anEncoderThatWasNotDownloaded(Component encoder) throws IOException {
        Path model = TestData.copyOfDefaultModel(folder.resolve("m"));
        Path weights = model.resolve(folder(encoder)).resolve("model.safetensors");
        Files.delete(weights);
        ModelFiles files = Families.open(model, ModelSources.NONE);
        assertThat(files.has(encoder)).isFalse();
        assertThat(files.missing(encoder)).contains(model.resolve(folder(encoder)).toString(), encoder.label(),
                "--no-" + encoder.option());
        assertThatThrownBy(() -> files.open(encoder)).isInstanceOf(InputException.class)
                .hasMessage(files.missing(encoder));
        ModelFiles without = Families.open(model, new ModelSources(Map.of(), Set.of(encoder), null, null));
        assertThat(without.missing(encoder)).isNull();
    }

    @Test
    void theTokenizerOfT5WasNotDownloaded() throws IOException {
        Path model = TestData.copyOfDefaultModel(folder.resolve("m"));
        try (Stream<Path> files = Files.list(model.resolve("tokenizer_3"))) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(model.resolve("tokenizer_3"));
        assertThatThrownBy(() -> Families.open(model, ModelSources.NONE).tokenizer(Component.T5))
                .isInstanceOf(InputException.class).hasMessageContaining("--no-t5");
        // AuraFlow has no other encoder.
        Path only = TestData.copy(TestData.reference().resolve("auraflow/model"), folder.resolve("aura"));
        Files.move(only.resolve("tokenizer"), only.resolve("elsewhere"));
        assertThatThrownBy(() -> Families.open(only, ModelSources.NONE).tokenizer(Component.T5))
                .hasMessageContaining("--tokenizer").hasMessageNotContaining("--no-t5");
    }

    @Test
    void schedulersOfOtherModelsAndNone() throws IOException {
        Path model = TestData.copyOfDefaultModel(folder.resolve("m"));
        Path file = model.resolve("scheduler/scheduler_config.json");
        Files.writeString(file, "\uFEFF{\"_class_name\": \"SASolverScheduler\", \"use_flow_sigmas\": true,"
                + " \"flow_shift\": 2.5}");
        ModelFiles files = Families.open(model, ModelSources.NONE);
        assertThat(((FlowScheduler) files.scheduler()).config().shift()).isEqualTo(2.5);
        assertThat(files.notes()).singleElement().asString().contains(file.toString(), "SASolver");
        Files.writeString(file, "{\"_class_name\": \"PNDMScheduler\"}");
        assertThat(((FlowScheduler) files.scheduler()).config().shift()).isEqualTo(3);
        Files.delete(file);
        assertThat(((FlowScheduler) files.scheduler()).config().shift()).isEqualTo(3);
        assertThat(files.scheduler().sampler().kind()).isEqualTo(Sampler.Kind.EULER);
        assertThat(files.notes()).singleElement().asString().contains(file + " is not there", "shift 3");
    }

    @Test
    void aRepositoryInTheCache() throws IOException {
        Path top = folder.resolve("models--org--name");
        Path commit = top.resolve("snapshots/0123abc");
        Path blobs = Files.createDirectories(top.resolve("blobs"));
        Path plain = TestData.copyOfDefaultModel(folder.resolve("plain"));
        int n = 0;
        try (Stream<Path> files = Files.walk(plain)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path link = commit.resolve(plain.relativize(file).toString());
                Files.createDirectories(link.getParent());
                Files.createSymbolicLink(link, Files.move(file, blobs.resolve("blob" + n++)));
            }
        }
        assertThat(Families.open(top, ModelSources.NONE).origin()).isEqualTo(commit.toString());
        Files.createDirectories(top.resolve("snapshots/fff"));
        assertThatThrownBy(() -> Families.open(top, ModelSources.NONE)).isInstanceOf(InputException.class)
                .hasMessageContainingAll("refs/main names none", commit.toString());
        Files.createDirectories(top.resolve("refs"));
        Files.writeString(top.resolve("refs/main"), "0123abc\n");
        ModelFiles model = Families.open(Path.of(top + "/"), ModelSources.NONE);
        assertThat(Component.values()).allMatch(model::has);
        Path link = commit.resolve("vae/diffusion_pytorch_model.safetensors");
        Files.delete(link.toRealPath());
        assertThatThrownBy(() -> model.open(Component.VAE)).isInstanceOf(InputException.class)
                .hasMessageContaining(link + ": is a link to a file that is not there");
    }

    @Test
    void severalPrecisionsInAFolder() throws IOException {
        Path model = TestData.copyOfDefaultModel(folder.resolve("m"));
        Path vae = model.resolve("vae");
        Path weights = vae.resolve("diffusion_pytorch_model.safetensors");
        Path half = Files.copy(weights, vae.resolve("diffusion_pytorch_model.fp16.safetensors"));
        assertThat(Families.open(model, ModelSources.NONE).notes()).containsExactly(
                "vae: diffusion_pytorch_model.safetensors is taken, not diffusion_pytorch_model.fp16.safetensors");
        Files.delete(weights);
        assertThat(Families.open(model, ModelSources.NONE).notes()).isEmpty();
        Files.move(half, vae.resolve("diffusion_pytorch_model.SAFETENSORS"));
        Families.open(model, ModelSources.NONE).open(Component.VAE).close();
    }

    private static void change(Path file, UnaryOperator<String> change) throws IOException {
        Files.writeString(file, change.apply(Files.readString(file)));
    }

    /** What editors put before a text, and what programs write where there is nothing. */
    @Test
    void marksAndNulls() throws IOException {
        Path model = TestData.copyOfDefaultModel(folder.resolve("m"));
        int[] ids = Families.open(model, ModelSources.NONE).tokenizer(Component.CLIP_L)
                .encode("a red circle", 77).ids();
        try (Stream<Path> files = Files.walk(model)) {
            for (Path file : files.filter(f -> f.toString().matches(".*\\.(json|txt)")).toList()) {
                String number = file.endsWith("config.json") ? "NaN" : "null";
                change(file, text -> "\uFEFF" + (text.startsWith("{")
                        ? text.replaceFirst("\\{", "{\"x\": " + number + ", \"quantization_config\": null,"
                                + " \"added_tokens_decoder\": null,"
                        + " \"extra_ids\": null, \"num_layers\": null, \"sample_size\": null, ")
                                .replaceAll("\"(num_layers|sample_size)\": \\d+", "\"x_$1\": 0") : text));
            }
        }
        Consumer<Path> plain = vocabulary -> {
            try {
                change(vocabulary, text -> text.replaceFirst("(?s)\\{\"x\": null, \"quantization_config.*\"sample_size\": null, ",
                        "{"));
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        };
        plain.accept(model.resolve("tokenizer/vocab.json"));
        plain.accept(model.resolve("tokenizer_2/vocab.json"));
        ModelFiles files = Families.open(model, ModelSources.NONE);
        for (Component component : Component.values()) {
            files.open(component).close();
        }
        assertThat(files.tokenizer(Component.CLIP_L).encode("a red circle", 77).ids()).isEqualTo(ids);
        assertThat(files.tokenizer(Component.T5).encode("a red circle", 20).ids()).isNotEmpty();
        assertThat(((FlowScheduler) files.scheduler()).config().shift()).isEqualTo(1);
    }

    @ParameterizedTest
    @CsvSource({"x.safetensors.part,not finished", "x.safetensors.incomplete,not finished", "x.pkl,pickle"})
    void namesOfOtherFiles(String name, String message) throws IOException {
        Path file = Files.writeString(folder.resolve(name), "x");
        assertThatThrownBy(() -> Families.open(file, ModelSources.NONE)).isInstanceOf(InputException.class)
                .hasMessageContainingAll(name, message);
    }

    @Test
    void aFolderForOneComponent() throws IOException {
        Path file = write("a_vae/diffusion_pytorch_model.safetensors", TINY.get(Component.VAE));
        assertTiny(with(Component.VAE, file.getParent()), Component.VAE);
        assertThatThrownBy(() -> with(Component.T5, file.getParent())).isInstanceOf(InputException.class)
                .hasMessageContaining("a_vae");
    }

    /** A LoRA, and what macOS keeps beside files, are no parts of a model. */
    @Test
    void whatLiesBesideAModel() throws IOException {
        Path model = write("all/denoiser.safetensors", TINY.get(Component.DENOISER));
        write("all/vae.safetensors", TINY.get(Component.VAE));
        Files.write(model.resolveSibling("._denoiser.safetensors"), new byte[] {0, 5, 22, 7});
        String module = "transformer_blocks.0.attn.to_q.lora_";
        Path lora = write("all/a.safetensors", Map.of(module + "A.weight", junk(), module + "B.weight", junk(),
                "lora_te1_text_model_encoder_layers_0_mlp_fc1.alpha", junk()));
        ModelFiles files = Families.open(model.getParent(), ModelSources.NONE);
        assertTiny(files, Component.DENOISER);
        assertThat(files.notes()).anyMatch(note -> note.equals("a.safetensors is left aside: it is a LoRA, which --lora"
                + " adds to a model"));
        assertThatThrownBy(() -> Families.open(lora, ModelSources.NONE)).isInstanceOf(InputException.class)
                .hasMessage(lora + ": is a LoRA; give it with --lora, and the model that it is for with --model");
    }

    @Test
    void endingsInCapitals() throws IOException {
        Path file = write("DENOISER.SAFETENSORS", TINY.get(Component.DENOISER));
        assertTiny(Families.open(file, ModelSources.NONE), Component.DENOISER);
    }
}
