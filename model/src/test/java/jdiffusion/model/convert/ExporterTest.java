package jdiffusion.model.convert;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.families.Families;
import jdiffusion.model.quantize.QuantizeRules;
import jdiffusion.model.quantize.QuantizingFiles;
import jdiffusion.model.quantize.Stored;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FourBitWeight;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is written, to the byte against files that the tools of each layout wrote. */
class ExporterTest {
    private static final Set<Component> ALL = EnumSet.allOf(Component.class);
    private static final String BNB = "nf4-double,context_embedder.*=nf4-double,time_text_embed.*=nf4-double,"
            + "norm_out.*=nf4-double,proj_out.*=nf4-double";

    @TempDir
    private Path folder;

    private static Path layouts() {
        return TestData.reference().resolve("layouts");
    }

    private static ExportOptions options(Set<Component> components, String rules) {
        return new ExportOptions(components, rules == null ? null : QuantizeRules.parse(rules), null,
                ExportOptions.DIFFUSERS_SHARD);
    }

    /** Opens the model, writes it, and closes it. */
    private static void export(Path model, ExportOptions options, java.util.function.Consumer<Exporter> how) {
        try (CheckpointSource source = new CheckpointSource(Families.open(model, ModelSources.NONE))) {
            how.accept(new Exporter(source, options, ExportProgress.NONE));
        }
    }

    private static void assertSame(Path made, Path wanted, String prefix) {
        try (SafetensorsFile a = SafetensorsFile.open(made); SafetensorsFile b = SafetensorsFile.open(wanted)) {
            Set<String> names = new TreeSet<>(a.names());
            names.removeIf(name -> !name.startsWith(prefix));
            assertThat(names).isNotEmpty();
            for (String name : names) {
                Tensor x = a.find(name);
                Tensor y = b.find(name);
                assertThat(y).as(name).isNotNull();
                assertThat(x.type()).as(name).isEqualTo(y.type());
                assertThat(x.shape()).as(name).isEqualTo(y.shape());
                assertThat(bytes(x)).as(name).isEqualTo(bytes(y));
            }
            Set<String> others = new TreeSet<>(b.names());
            others.removeIf(name -> !name.startsWith(prefix));
            assertThat(names).isEqualTo(others);
        }
    }

    private static byte[] bytes(Tensor tensor) {
        return tensor.data().asSlice(0, tensor.byteSize()).toArray(ValueLayout.JAVA_BYTE);
    }

    @Test
    void stabilitysLayoutsAreTheirsToTheByte() {
        Path single = folder.resolve("single");
        export(layouts().resolve("diffusers"), options(ALL, null), e -> e.writeSingle(single));
        assertSame(single.resolve("single.safetensors"),
                layouts().resolve("single/sd3.5_medium_shapes.safetensors"), "");
        for (String name : List.of("clip_l.safetensors", "clip_g.safetensors", "t5xxl.safetensors")) {
            assertSame(single.resolve(name), layouts().resolve("single").resolve(name), "");
        }
        Path all = folder.resolve("all.safetensors");
        export(single.resolve("single.safetensors"), options(ALL, null), e -> e.writeFile(all));
        assertSame(all, layouts().resolve("all_in_one.safetensors"), "");
    }

    @Test
    void wayBackToDiffusers() {
        Path back = folder.resolve("back");
        export(layouts().resolve("single/sd3.5_medium_shapes.safetensors"), options(ALL, null),
                e -> e.writeDiffusers(back));
        for (Component component : Component.values()) {
            String name = Families.ALL.getFirst().folder(component) + "/" + component.weights() + ".safetensors";
            assertSame(back.resolve(name), layouts().resolve("diffusers").resolve(name), "");
        }
        assertThat(back.resolve("tokenizer_3/spiece.model")).exists();
        assertThat(Families.open(back, ModelSources.NONE).scheduler())
                .isEqualTo(Families.open(layouts().resolve("diffusers"), ModelSources.NONE).scheduler());
    }

    @Test
    void quantisedAsBitsandbytesAndComfyDo() {
        Path nf4 = folder.resolve("nf4");
        export(layouts().resolve("diffusers"), options(ALL, BNB), e -> e.writeDiffusers(nf4));
        for (String name : List.of("transformer/diffusion_pytorch_model.safetensors",
                "text_encoder_3/model.safetensors", "text_encoder/model.safetensors")) {
            assertSame(nf4.resolve(name), layouts().resolve("nf4").resolve(name), "");
        }
        Path fp8 = folder.resolve("fp8.safetensors");
        export(layouts().resolve("diffusers"), options(Set.of(Component.DENOISER, Component.VAE), "fp8"),
                e -> e.writeFile(fp8));
        assertSame(fp8, layouts().resolve("fp8_scaled.safetensors"), "");
    }

    /** What is written equals what quantising on the way in gives, whatever the file. */
    @Test
    void theFileAndTheWayInAgree() {
        ModelFiles model = Families.open(layouts().resolve("diffusers"), ModelSources.NONE);
        Path gguf = folder.resolve("d.gguf");
        export(layouts().resolve("diffusers"), options(Set.of(Component.DENOISER), "q4_0"), e -> e.writeGguf(gguf));
        QuantizingFiles quantising = new QuantizingFiles(model, QuantizeRules.parse("q4_0"));
        try (ModelFiles.Open a = Families.models().openParts(gguf).open(Component.DENOISER);
                ModelFiles.Open b = quantising.open(Component.DENOISER);
                ModelFiles.Open c = quantising.inspect(Component.DENOISER)) {
            int blocks = 0;
            assertThat(a.tensors().names()).isEqualTo(b.tensors().names());
            for (String name : a.tensors().names()) {
                assertThat(a.tensors().shape(name)).isEqualTo(b.tensors().shape(name));
                assertThat(read(a.tensors(), name)).as(name).isEqualTo(read(b.tensors(), name));
                Weight weight = b.tensors().find(name) == null ? b.tensors().weight(name) : null;
                if (weight instanceof Weight.Blocks) {
                    blocks++;
                    assertThat(c.tensors().weight(name).byteSize()).isEqualTo(weight.byteSize());
                    assertThatThrownBy(() -> c.tensors().weight(name).read(0, 0, 1, new float[1], 0))
                            .isInstanceOf(IllegalStateException.class);
                }
            }
            assertThat(blocks).isEqualTo(18 + 11);
            assertThat(c.tensors().byteSize()).isEqualTo(b.tensors().byteSize());
        }
    }

    @Test
    void whatIsOfTheWantedTypeStaysAsItIs() {
        ModelFiles model = Families.open(layouts().resolve("nf4"), ModelSources.NONE);
        String name = "transformer_blocks.0.attn.to_q.weight";
        try (ModelFiles.Open stored = model.open(Component.DENOISER)) {
            Weight before = stored.tensors().weight(name);
            String label = Stored.of(before).label();
            assertThat(label).startsWith("nf4");
            try (ModelFiles.Open open = new QuantizingFiles(model, QuantizeRules.parse(label)).open(Component.DENOISER);
                    ModelFiles.Open other = new QuantizingFiles(model, QuantizeRules.parse("fp4"))
                            .open(Component.DENOISER)) {
                // A file is mapped to be read; what is made lies in memory that can be written.
                var codes = ((FourBitWeight) open.tensors().weight(name)).codes().data();
                assertThat(codes.isReadOnly()).isTrue();
                assertThat(((FourBitWeight) other.tensors().weight(name)).codes().data().isReadOnly()).isFalse();
            }
        }
    }

    /** Stability's files have q, k and v in one matrix. */
    @Test
    void joinedMatricesOfFourBitsKeepTheirCodes() {
        Path nf4 = folder.resolve("nf4");
        Path single = folder.resolve("single.safetensors");
        export(layouts().resolve("diffusers"), options(Set.of(Component.DENOISER), "nf4"), e -> e.writeDiffusers(nf4));
        export(nf4, options(Set.of(Component.DENOISER), null), e -> e.writeFile(single));
        String name = "transformer_blocks.0.attn.to_k.weight";
        try (ModelFiles.Open a = Families.open(nf4, ModelSources.NONE).open(Component.DENOISER);
                ModelFiles.Open b = Families.models().openParts(single).open(Component.DENOISER);
                SafetensorsFile file = SafetensorsFile.open(single)) {
            assertThat(read(b.tensors(), name)).isEqualTo(read(a.tensors(), name));
            assertThat(file.find("model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight").type())
                    .isEqualTo(DType.U8);
        }
    }

    /** The halves of norm_out's matrices change places on the way to Stability's names and back. */
    @Test
    void float32SurvivesBothWays() throws IOException {
        Path model = TestData.copyOfDefaultModel(folder.resolve("model"));
        Path weights = model.resolve("transformer/diffusion_pytorch_model.safetensors");
        TestData.rewrite(weights, all -> all.replaceAll((_, tensor) -> {
            float[] values = tensor.toArray();
            for (int i = 0; i < values.length; i++) {
                values[i] = Math.fma(values[i], 1.01f, 1e-6f);
            }
            return Tensor.of(values, tensor.shape().dims());
        }));
        Set<Component> denoiser = Set.of(Component.DENOISER);
        Path single = folder.resolve("single.safetensors");
        Path gguf = folder.resolve("single.gguf");
        Path back = folder.resolve("back");
        Path gone = folder.resolve("gone");
        export(model, options(denoiser, null), e -> e.writeFile(single));
        export(single, options(denoiser, null), e -> e.writeDiffusers(back));
        export(model, options(denoiser, null), e -> e.writeGguf(gguf));
        export(gguf, options(denoiser, null), e -> e.writeDiffusers(gone));
        String name = model.relativize(weights).toString();
        assertSame(back.resolve(name), weights, "");
        assertSame(gone.resolve(name), weights, "");
    }

    private static float[] read(TensorSource source, String name) {
        Tensor tensor = source.find(name);
        if (tensor != null) {
            return tensor.toArray();
        }
        Weight weight = source.weight(name);
        float[] values = new float[weight.rows() * weight.cols()];
        for (int r = 0; r < weight.rows(); r++) {
            weight.read(r, 0, weight.cols(), values, r * weight.cols());
        }
        return values;
    }

    @Test
    void typesAndShards() throws IOException {
        Path small = folder.resolve("small");
        export(layouts().resolve("nf4"), new ExportOptions(Set.of(Component.DENOISER, Component.VAE), null, DType.F16,
                300_000), e -> e.writeDiffusers(small));
        try (var files = Files.list(small.resolve("transformer"))) {
            assertThat(files.filter(f -> f.toString().endsWith(".safetensors")).count()).isGreaterThan(2);
        }
        ModelFiles written = Families.open(small, ModelSources.NONE);
        assertThat(written.has(Component.T5)).isFalse();
        try (ModelFiles.Open a = written.open(Component.DENOISER);
                ModelFiles.Open b = Families.open(layouts().resolve("nf4"), ModelSources.NONE).open(Component.DENOISER)) {
            assertThat(a.tensors().find("pos_embed.pos_embed").type()).isEqualTo(DType.F16);
            String name = "transformer_blocks.0.attn.to_q.weight";
            assertThat(a.tensors().weight(name)).isInstanceOf(FourBitWeight.class);
            assertThat(read(a.tensors(), name)).isEqualTo(read(b.tensors(), name));
        }
    }

    @Test
    void whatAFileCannotHoldIsSaidBeforeAnythingIsWritten() throws IOException {
        Path model = layouts().resolve("diffusers");
        Path gguf = folder.resolve("d.gguf");
        assertThatThrownBy(() -> export(model,
                options(Set.of(Component.DENOISER), "nf4"), e -> e.writeGguf(gguf))).isInstanceOf(InputException.class)
                .hasMessageContaining("GGUF files have no nf4").hasMessageContaining("use q8_0 or q4_0");
        Path out = folder.resolve("out");
        assertThatThrownBy(() -> export(model, options(ALL, "q8_0"),
                e -> e.writeDiffusers(out))).isInstanceOf(InputException.class)
                .hasMessageContaining("safetensors files have no q8_0");
        try (var files = Files.list(folder)) {
            assertThat(files).isEmpty();
        }
    }
}
