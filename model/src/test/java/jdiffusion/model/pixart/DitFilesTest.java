package jdiffusion.model.pixart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.Compute;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.checkpoint.Models;
import jdiffusion.model.convert.CheckpointSource;
import jdiffusion.model.convert.ExportOptions;
import jdiffusion.model.convert.ExportProgress;
import jdiffusion.model.convert.Exporter;
import jdiffusion.model.families.Families;
import jdiffusion.model.quantize.QuantizeRules;
import jdiffusion.model.sampling.DiscreteScheduler;
import jdiffusion.tensor.FourBitWeight;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** PixArt in every layout is the same model, and goes from one to the other and back without a change. */
class DitFilesTest {
    @TempDir
    private Path folder;

    private static Path reference(String name) {
        return TestData.reference().resolve("pixart").resolve(name);
    }

    private static void export(Path model, String rules, Consumer<Exporter> how) {
        ExportOptions options = new ExportOptions(EnumSet.allOf(Component.class),
                rules == null ? null : QuantizeRules.parse(rules), null, ExportOptions.DIFFUSERS_SHARD);
        try (CheckpointSource source = new CheckpointSource(Families.open(model, ModelSources.NONE))) {
            how.accept(new Exporter(source, options, ExportProgress.NONE));
        }
    }

    private static ModelFiles open(Path model) {
        return Families.open(model, ModelSources.NONE);
    }

    private static DitConfig config(ModelFiles files) {
        try (ModelFiles.Open open = files.inspect(Component.DENOISER)) {
            return Dit.load(Weights.of(open.tensors(), Placement.onHost()), open.config()).config();
        }
    }

    private static void assertSame(Path actual, Path expected) {
        ModelFiles one = open(actual);
        ModelFiles other = open(expected);
        assertThat(one.architecture()).isInstanceOf(Pixart.class);
        assertThat(one.scheduler()).isEqualTo(other.scheduler());
        assertThat(config(one)).isEqualTo(config(other));
        for (Component component : one.architecture().components()) {
            try (ModelFiles.Open a = one.open(component); ModelFiles.Open b = other.open(component)) {
                assertThat(a.tensors().names()).isEqualTo(b.tensors().names());
                for (String name : b.tensors().names()) {
                    Tensor expectedTensor = b.tensors().find(name);
                    Tensor tensor = a.tensors().find(name);
                    assertThat(tensor.type()).as(name).isEqualTo(expectedTensor.type());
                    assertThat(tensor.toArray()).as(name).isEqualTo(expectedTensor.toArray());
                }
            }
        }
    }

    /** What the denoiser of these files gives for the inputs of a reference. */
    private static float[] output(TensorSource tensors, ModelFiles.Open open, SafetensorsFile io) {
        try (CpuBackend backend = new CpuBackend(2, Precision.F32); Workspace w = backend.newWorkspace(1 << 25)) {
            Dit dit = Dit.load(Weights.of(tensors, Placement.onHost()), open.config());
            Tensor latents = upload(backend, w, io.find("latents"));
            Tensor context = upload(backend, w, io.find("context"));
            int count = 0;
            for (float one : io.find("context_mask").toArray()) {
                count += (int) one;
            }
            int[] s = latents.shape().dims();
            DitRun run = new DitRun(dit, new Compute(backend, w), s[0], s[2], s[3], context.shape().dim(1),
                    new float[0]);
            run.setText(context, new int[] {count});
            Tensor out = w.f32(s[0], dit.config().predicted(), s[2], s[3]);
            run.predict(latents, io.find("timestep").toArray(), out);
            return backend.download(out);
        }
    }

    private static Tensor upload(CpuBackend backend, Workspace w, Tensor tensor) {
        Tensor there = w.f32(tensor.shape().dims());
        backend.upload(tensor.toArray(), there);
        return there;
    }

    /** An original file says its training size by the table of positions alone. */
    @Test
    void theReferencesOriginalFile() {
        Path file = reference("layouts/denoiser.safetensors");
        try (SafetensorsFile io = SafetensorsFile.open(reference("layouts/expected.safetensors"));
                ModelFiles.Open open = Families.models().openParts(file).open(Component.DENOISER)) {
            assertThat(open.config().integer("sample_size", 0)).isEqualTo(32);
            assertThat(open.config().number("interpolation_scale", 0)).isEqualTo(0.5);
            float[] expected = io.find("denoiser.output").toArray();
            float[] actual = output(open.tensors(), open, io);
            double error = 0;
            double size = 0;
            for (int i = 0; i < expected.length; i++) {
                error += Math.pow(actual[i] - expected[i], 2);
                size += Math.pow(expected[i], 2);
            }
            assertThat(Math.sqrt(error / size)).isLessThan(1e-4);
        }
    }

    @Test
    void throughSingleFilesAndBack() {
        Path model = reference("model");
        Path file = folder.resolve("all.safetensors");
        export(model, null, e -> e.writeFile(file));
        assertThat(TestData.names(file)).contains("model.diffusion_model.t_block.1.weight",
                "model.diffusion_model.blocks.1.cross_attn.kv_linear.bias", "model.diffusion_model.pos_embed",
                "text_encoders.t5xxl.transformer.shared.weight", "first_stage_model.quant_conv.weight");
        assertSame(file, model);
        Path back = folder.resolve("back");
        export(file, null, e -> e.writeDiffusers(back));
        assertSame(back, model);
        assertThat(TestData.names(back.resolve("transformer/diffusion_pytorch_model.safetensors")))
                .containsExactlyInAnyOrderElementsOf(TestData.names(
                        model.resolve("transformer/diffusion_pytorch_model.safetensors")));
        Path single = folder.resolve("single");
        export(model, null, e -> e.writeSingle(single));
        assertThat(single.resolve("tokenizer/spiece.model")).exists();
        assertSame(single, model);
    }

    /** The table of an original file is what is computed; files without our own notes are told by it. */
    @Test
    void theTableOfPositionsIsWrittenAndRead() {
        Path file = folder.resolve("all.safetensors");
        export(reference("model"), null, e -> e.writeFile(file));
        float[] written = TestData.floats(file, "model.diffusion_model.pos_embed");
        float[] original = TestData.floats(reference("layouts/denoiser.safetensors"), "pos_embed");
        assertThat(written).hasSameSizeAs(original);
        for (int i = 0; i < written.length; i++) {
            assertThat(written[i]).isCloseTo(original[i], Offset.offset(0x1p-11f));
        }
        try (SafetensorsFile source = SafetensorsFile.open(file)) {
            Map<String, Tensor> tensors = new TreeMap<>();
            source.names().forEach(name -> tensors.put(name, source.find(name)));
            SafetensorsWriter.write(folder.resolve("other.safetensors"), tensors, Map.of());
        }
        assertThat(config(open(folder.resolve("other.safetensors")))).isEqualTo(config(open(reference("model"))));
    }

    @Test
    void quantised() {
        Path model = reference("model");
        Path gguf = folder.resolve("denoiser.gguf");
        export(model, "q8_0", e -> e.writeGguf(gguf));
        Path nf4 = folder.resolve("nf4");
        export(model, "nf4", e -> e.writeDiffusers(nf4));
        ModelFiles files = Families.open(model, new ModelSources(Map.of(Component.DENOISER, gguf), Set.of(), null,
                null));
        assertThat(config(files)).isEqualTo(config(open(model)));
        try (ModelFiles.Open open = open(nf4).open(Component.DENOISER)) {
            assertThat(open.tensors().weight("transformer_blocks.0.attn2.to_k.weight"))
                    .isInstanceOf(FourBitWeight.class);
            assertThat(open.tensors().weight("adaln_single.linear.weight")).isNotInstanceOf(FourBitWeight.class);
        }
        assertThat(config(open(nf4))).isEqualTo(config(open(model)));
    }

    /** Without a scheduler_config.json that of the published models is taken, which is the reference's. */
    @Test
    void theSchedulerOfPublishedModels() throws IOException {
        Path copy = TestData.copy(reference("model"), folder.resolve("copy"));
        Files.delete(copy.resolve("scheduler/scheduler_config.json"));
        assertThat(open(copy).scheduler()).isEqualTo(open(reference("model")).scheduler())
                .isEqualTo(DiscreteScheduler.dpmSolver());
    }

    @Test
    void configurationsThatContradictTheTensors() throws IOException {
        assertRefused("num_attention_heads", 3, "num_attention_heads is 3, the tensors say 1");
        assertRefused("attention_head_dim", 7, "heads of 7");
        assertRefused("norm_type", "ada_norm_zero", "norm_type is \"ada_norm_zero\"");
        assertRefused("norm_eps", 0.1, "norm_eps is 0.1; only 1.0E-6 is known");
        assertRefused("interpolation_scale", 0, "interpolation_scale is 0.0; a positive number is needed");
        assertRefused("use_additional_conditions", true, "use_additional_conditions is true, the tensors say false");
        assertRefused("_class_name", "DiTTransformer2DModel", "_class_name is \"DiTTransformer2DModel\"");
    }

    private void assertRefused(String key, Object value, String message) throws IOException {
        Path copy = TestData.copy(reference("model"), folder.resolve(key));
        Path file = copy.resolve("transformer/config.json");
        ObjectNode json = (ObjectNode) TestData.json(file);
        Files.writeString(file, json.putPOJO(key, value).toString());
        assertThatThrownBy(() -> config(open(copy))).isInstanceOf(InputException.class).hasMessageContaining(message);
    }

    @Test
    void aFolderOfPixartIsAModel() {
        assertThat(Models.isModel(reference("model"))).isTrue();
        ModelFiles files = open(reference("model"));
        assertThat(files.architecture().model(files)).isEqualTo("PixArt-Sigma");
    }
}
