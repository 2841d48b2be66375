package jdiffusion.model.auraflow;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.Compute;
import jdiffusion.model.TestData;
import jdiffusion.model.adapter.AdaptedFiles;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.convert.CheckpointSource;
import jdiffusion.model.convert.ExportOptions;
import jdiffusion.model.convert.ExportProgress;
import jdiffusion.model.convert.Exporter;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.quantize.QuantizeRules;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.model.synthetic.SyntheticSource;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;
import jdiffusion.tensor.gguf.GgufFile;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** AuraFlow in every layout is the same model, goes from one to the other and back, and takes LoRAs. */
class AuraFlowFilesTest {
    private static final CpuBackend BACKEND = new CpuBackend();
    private static final double TOLERANCE = 1e-4;

    @TempDir
    private Path folder;

    @AfterAll
    static void close() {
        BACKEND.close();
    }

    private static Path reference() {
        return TestData.reference().resolve("auraflow");
    }

    private static void export(ModelFiles model, String rules, Consumer<Exporter> how) {
        ExportOptions options = new ExportOptions(EnumSet.allOf(Component.class),
                rules == null ? null : QuantizeRules.parse(rules), null, ExportOptions.DIFFUSERS_SHARD);
        try (CheckpointSource source = new CheckpointSource(model)) {
            how.accept(new Exporter(source, options, ExportProgress.NONE));
        }
    }

    private static ModelFiles open(Path model) {
        return Families.open(model, ModelSources.NONE);
    }

    /** A small model with random weights. */
    private Path synthetic() {
        Path from = TestData.defaultModel();
        int ids = Tokenizer.load(from.resolve("tokenizer_llama")).size();
        SyntheticModel model = Families.synthetic("auraflow").tiny(new Vocabularies(0, 0, ids));
        Path made = folder.resolve("made");
        try (SyntheticSource source = new SyntheticSource(model, 3, DType.BF16, from)) {
            new Exporter(source, new ExportOptions(EnumSet.allOf(Component.class), null, null,
                    ExportOptions.DIFFUSERS_SHARD), ExportProgress.NONE).writeDiffusers(made);
        }
        return made;
    }

    private static Set<String> names(Path file) {
        return Set.copyOf(TestData.names(file));
    }

    private static float[] values(TensorSource source, String name) {
        Tensor plain = source.find(name);
        if (plain != null) {
            return plain.toArray();
        }
        Weight weight = source.weight(name);
        float[] all = new float[weight.rows() * weight.cols()];
        for (int row = 0; row < weight.rows(); row++) {
            weight.read(row, 0, weight.cols(), all, row * weight.cols());
        }
        return all;
    }

    /** The same numbers under the same names, and networks of the same sizes. */
    private static void assertSame(ModelFiles one, ModelFiles other) {
        assertThat(one.architecture()).isInstanceOf(AuraFlow.class);
        for (Component component : one.architecture().components()) {
            try (ModelFiles.Open a = one.open(component); ModelFiles.Open b = other.open(component)) {
                assertThat(a.tensors().names()).as(component.label()).isEqualTo(b.tensors().names());
                for (String name : b.tensors().names()) {
                    assertThat(values(a.tensors(), name)).as(name).isEqualTo(values(b.tensors(), name));
                }
                if (component == Component.DENOISER) {
                    assertThat(load(a).config()).isEqualTo(load(b).config());
                }
            }
        }
        assertThat(one.scheduler()).isEqualTo(other.scheduler());
    }

    private static AuraFlowTransformer load(ModelFiles.Open open) {
        return AuraFlowTransformer.load(Weights.of(open.tensors(), Placement.onHost()), open.config());
    }

    @Test
    void throughOtherLayoutsAndBack() {
        Path model = synthetic();
        Path file = folder.resolve("all.safetensors");
        export(open(model), null, e -> e.writeFile(file));
        assertThat(names(file)).contains("model.double_layers.1.attn.w2q.weight", "model.double_layers.1.modC.1.weight",
                "model.single_layers.0.mlp.c_proj.weight", "model.modF.1.weight", "vae.quant_conv.weight",
                "text_encoders.pile_t5xl.transformer.encoder.block.1.layer.0.SelfAttention.relative_attention_bias"
                + ".weight").noneMatch(name -> name.contains("transformer_blocks"));
        Path single = folder.resolve("single");
        export(open(model), null, e -> e.writeSingle(single));
        Path back = folder.resolve("back");
        export(open(single), null, e -> e.writeDiffusers(back));
        assertSame(open(single), open(model));
        assertSame(open(back), open(model));
        assertThat(ConfigFile.read(back.resolve("text_encoder/config.json")).kind()).contains("UMT5EncoderModel umt5");
        assertThat(ConfigFile.read(back.resolve("model_index.json")).kind()).contains("AuraFlowPipeline");
        assertThat(back.resolve("tokenizer/tokenizer.model")).exists();
        // A file has no tokenizers.
        ModelFiles whole = Families.open(file, new ModelSources(Map.of(), Set.of(), model, null));
        assertSame(whole, open(model));
        assertThat(whole.tokenizer(Component.T5).encode("a red circle"))
                .isEqualTo(open(model).tokenizer(Component.T5).encode("a red circle"));
    }

    @Test
    void ggufHasCity96sNamesAndTypes() {
        Path model = synthetic();
        Path gguf = folder.resolve("aura.gguf");
        export(open(model), "q8_0", e -> e.writeGguf(gguf));
        ModelFiles files = Families.open(model, new ModelSources(Map.of(Component.DENOISER, gguf), Set.of(), null,
                null));
        try (ModelFiles.Open quantised = files.open(Component.DENOISER);
                ModelFiles.Open plain = open(model).open(Component.DENOISER)) {
            assertThat(quantised.tensors().names()).isEqualTo(plain.tensors().names());
            assertThat(load(quantised).config()).isEqualTo(load(plain).config());
            for (String name : List.of("norm_out.linear.weight", "pos_embed.pos_embed", "register_tokens",
                    "context_embedder.weight", "time_step_proj.linear_1.weight", "pos_embed.proj.weight",
                    "proj_out.weight")) {
                assertThat(values(quantised.tensors(), name)).as(name).isEqualTo(values(plain.tensors(), name));
            }
            assertThat(quantised.tensors().weight("single_transformer_blocks.1.ff.linear_1.weight"))
                    .isInstanceOf(Weight.Blocks.class);
        }
        try (GgufFile file = GgufFile.open(gguf)) {
            assertThat(file.text("general.architecture")).contains("aura");
        }
    }

    /** What diffusers gives for each of the published layouts of the denoiser alone. */
    @TestFactory
    Stream<DynamicTest> denoisersOfOtherLayouts() {
        return Stream.of("denoiser.safetensors", "denoiser-Q8_0.gguf").map(name -> DynamicTest.dynamicTest(name, () -> {
            Path layouts = reference().resolve("layouts");
            ModelFiles files = Families.open(reference().resolve("model"), new ModelSources(
                    Map.of(Component.DENOISER, layouts.resolve(name)), Set.of(), null, null));
            try (SafetensorsFile io = SafetensorsFile.open(layouts.resolve("expected.safetensors"))) {
                float[] expected = io.find(name.replaceFirst("\\.\\w+$", "") + ".output").toArray();
                assertThat(distance(evaluate(files, io), expected)).isLessThan(TOLERANCE);
            }
        }));
    }

    private static float[] evaluate(ModelFiles files, SafetensorsFile io) {
        try (ModelFiles.Open open = files.open(Component.DENOISER); Workspace w = BACKEND.newWorkspace(1 << 26)) {
            Tensor latents = io.find("latents");
            Tensor context = io.find("context");
            int batch = latents.shape().dim(0);
            float[] times = io.find("timestep").toArray();
            for (int i = 0; i < batch; i++) {
                times[i] *= 1000;
            }
            AuraFlowRun run = new AuraFlowRun(load(open), new Compute(BACKEND, w), batch, latents.shape().dim(2),
                    latents.shape().dim(3), context.shape().dim(1), new float[0]);
            run.setText(context);
            Tensor out = w.f32(latents.shape().dims());
            run.predict(latents, times, out);
            return BACKEND.download(out);
        }
    }

    private static double distance(float[] actual, float[] expected) {
        double error = 0;
        double size = 0;
        for (int i = 0; i < expected.length; i++) {
            error += Math.pow(actual[i] - expected[i], 2);
            size += Math.pow(expected[i], 2);
        }
        return Math.sqrt(error / size);
    }

    private static float[] latents(ModelFiles files) {
        try (Pipeline pipeline = Pipeline.open(files, BACKEND)) {
            GenerationRequest request = pipeline.request("a red circle").toBuilder().size(48, 64).steps(2)
                    .t5Length(16).build();
            return pipeline.denoise(request, pipeline.encode(request, Progress.NONE), Progress.NONE);
        }
    }

    /** PEFT's names, with alphas: the model with the products added to its weights draws the same. */
    @Test
    void loraAsMerged() throws Exception {
        Path model = synthetic();
        Map<String, Tensor> lora = new TreeMap<>();
        Map<String, float[]> products = new TreeMap<>();
        for (String module : List.of("joint_transformer_blocks.1.attn.to_q", "joint_transformer_blocks.0.attn.add_v_proj",
                "joint_transformer_blocks.0.ff_context.linear_1", "single_transformer_blocks.1.attn.to_out.0",
                "single_transformer_blocks.0.ff.out_projection", "single_transformer_blocks.0.norm1.linear",
                "context_embedder", "proj_out")) {
            products.put("transformer/" + module, pair(lora, "transformer." + module, model, "transformer"));
        }
        products.put("text_encoder/encoder.block.1.layer.0.SelfAttention.q",
                pair(lora, "text_encoder.encoder.block.1.layer.0.SelfAttention.q", model, "text_encoder"));
        Path file = folder.resolve("lora.safetensors");
        SafetensorsWriter.write(file, lora, Map.of());

        Path merged = folder.resolve("merged");
        export(open(model), null, e -> e.writeDiffusers(merged));
        for (String part : List.of("transformer/diffusion_pytorch_model", "text_encoder/model")) {
            TestData.rewrite(merged.resolve(part + ".safetensors"), tensors -> products.forEach((module, product) -> {
                String name = module.substring(module.indexOf('/') + 1) + ".weight";
                if (part.startsWith(module.substring(0, module.indexOf('/')))) {
                    tensors.compute(name, (_, stored) -> {
                        float[] sum = stored.toArray();
                        for (int i = 0; i < sum.length; i++) {
                            sum[i] += product[i] * 0.7f;
                        }
                        return Tensor.of(sum, stored.shape().dims());
                    });
                }
            }));
        }
        float[] wanted = latents(open(merged));
        assertThat(distance(latents(AdaptedFiles.of(open(model), List.of(new Lora(file, 0.7f)))), wanted))
                .isLessThan(1e-5);
        assertThat(distance(latents(open(model)), wanted)).isGreaterThan(1e-2);
    }

    /** Adds a pair of rank 3 for a module; its product, row by row. */
    private static float[] pair(Map<String, Tensor> lora, String module, Path model, String part) {
        int rank = 3;
        Path file = model.resolve(part).resolve(part.equals("transformer") ? "diffusion_pytorch_model.safetensors"
                : "model.safetensors");
        int[] dims;
        try (SafetensorsFile weights = SafetensorsFile.open(file)) {
            dims = weights.shape(module.substring(part.length() + 1) + ".weight").dims();
        }
        float[] down = normal(module.hashCode(), rank * dims[1]);
        float[] up = normal(module.hashCode() + 1, dims[0] * rank);
        lora.put(module + ".lora_A.weight", Tensor.of(down, rank, dims[1]));
        lora.put(module + ".lora_B.weight", Tensor.of(up, dims[0], rank));
        float[] product = new float[dims[0] * dims[1]];
        for (int i = 0; i < product.length; i++) {
            for (int r = 0; r < rank; r++) {
                product[i] += up[i / dims[1] * rank + r] * down[r * dims[1] + i % dims[1]];
            }
        }
        return product;
    }

    private static float[] normal(int seed, int size) {
        Random random = new Random(seed);
        float[] values = new float[size];
        for (int i = 0; i < size; i++) {
            values[i] = (float) random.nextGaussian() / 8;
        }
        return values;
    }

    /** Other programs keep more under the text encoders' prefix than weights. */
    @Test
    void strangersBesideTheEncoderDoNotStopALoad() {
        Path model = synthetic();
        Path file = folder.resolve("all.safetensors");
        export(open(model), null, e -> e.writeFile(file));
        Path more = folder.resolve("more.safetensors");
        try (SafetensorsFile plain = SafetensorsFile.open(file)) {
            Map<String, Tensor> tensors = new TreeMap<>();
            plain.names().forEach(name -> tensors.put(name, plain.find(name)));
            for (String stranger : List.of("pile_t5xl.logit_scale", "pile_t5xl.projection.weight",
                    "pile_t5xl.transformer.pooler.weight", "clip_x.table")) {
                tensors.put("text_encoders." + stranger, Tensor.of(new float[4], 2, 2));
            }
            SafetensorsWriter.write(more, tensors, plain.metadata());
        }
        ModelFiles files = Families.open(more, new ModelSources(Map.of(), Set.of(), model, null));
        assertSame(files, open(model));
        assertThat(files.notes()).singleElement().asString().contains("4 tensors are not needed");
        assertThat(distance(latents(files), latents(open(model)))).isZero();
    }
}
