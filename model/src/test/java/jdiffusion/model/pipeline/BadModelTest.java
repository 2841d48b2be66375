package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.family.Progress;
import jdiffusion.model.sampling.SkipLayers;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Models that are damaged or do not fit together: one line that names the place. */
class BadModelTest {
    private static final String DENOISER = "transformer/diffusion_pytorch_model.safetensors";

    private final CpuBackend backend = new CpuBackend(2, Precision.F32);
    private Path model;

    @BeforeEach
    void copy(@TempDir Path folder) throws IOException {
        model = TestData.copyOfDefaultModel(folder.resolve("model"));
    }

    @AfterEach
    void close() {
        backend.close();
    }

    private AbstractThrowableAssert<?, ? extends Throwable> assertFails() {
        return assertThatThrownBy(() -> {
            var pipeline = Pipeline.open(model, backend);
            pipeline.generate(pipeline.request("x").toBuilder().size(32, 32).steps(1).t5Length(8).build(),
                    Progress.NONE);
        }).isInstanceOf(InputException.class).satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n"));
    }

    private void replace(String file, String from, String to) throws IOException {
        Path path = model.resolve(file);
        String text = Files.readString(path);
        assertThat(text).contains(from);
        Files.writeString(path, text.replace(from, to));
    }

    @Test
    void noSuchFolder() {
        model = model.resolve("nowhere");
        assertFails().hasMessageContaining("nowhere").hasMessageContaining("no such model");
    }

    @Test
    void notAModel() throws IOException {
        Files.delete(model.resolve("model_index.json"));
        assertFails().hasMessageContaining("model_index.json");
    }

    @Test
    void anUnknownFamily() throws IOException {
        replace("model_index.json", "StableDiffusion3Pipeline", "KolorsPipeline");
        assertFails().hasMessageContaining("KolorsPipeline").hasMessageContaining("StableDiffusion3");
    }

    @Test
    void aTruncatedFile() throws IOException {
        try (var file = new RandomAccessFile(model.resolve(DENOISER).toFile(), "rw")) {
            file.setLength(file.length() - 1000);
        }
        assertFails().hasMessageContaining(DENOISER);
    }

    @Test
    void aMissingFile() throws IOException {
        Files.delete(model.resolve("vae/diffusion_pytorch_model.safetensors"));
        assertFails().hasMessageContaining("vae").hasMessageContaining("diffusion_pytorch_model.safetensors");
    }

    @Test
    void missingMisshapedAndUnknownTensorsInOneError() throws IOException {
        TestData.rewrite(model.resolve(DENOISER), tensors -> {
            tensors.put("stranger", tensors.remove("transformer_blocks.2.ff.net.2.bias"));
            tensors.put("proj_out.bias", tensors.get("context_embedder.bias"));
        });
        assertFails().hasMessageContaining("3 tensor(s)")
                .hasMessageContaining("missing transformer_blocks.2.ff.net.2.bias")
                .hasMessageContaining("unknown stranger").hasMessageContaining("proj_out.bias is [256], not [64]");
    }

    @Test
    void anAutoencoderWhoseSizesCannotBeTold() throws IOException {
        Path vae = model.resolve("vae/diffusion_pytorch_model.safetensors");
        TestData.rewrite(vae, tensors -> tensors.put("decoder.conv_in.weight", Tensor.of(new float[5], 5)));
        assertFails().hasMessageContainingAll("decoder.conv_in.weight", "[5]", "4 dimensions");
    }

    @Test
    void anAutoencoderWithoutResolutions() throws IOException {
        Path vae = model.resolve("vae/diffusion_pytorch_model.safetensors");
        TestData.rewrite(vae, tensors -> tensors.keySet().removeIf(name -> name.startsWith("encoder.down_blocks")));
        assertFails().hasMessageContainingAll("0 resolutions", "1 to 8");
    }

    @Test
    void anAutoencoderWhoseScaleNobodySays() throws IOException {
        replace("vae/config.json", "\"scaling_factor\"", "\"another_factor\"");
        assertFails().hasMessageContainingAll("vae", "config.json", "scaling_factor is missing");
    }

    @Test
    void aPatchWhoseAreaOverflows() throws IOException {
        TestData.rewrite(model.resolve(DENOISER), tensors ->
                tensors.put("pos_embed.proj.weight", Tensor.of(new float[256 << 16], 256, 1, 1 << 16, 1)));
        assertFails().hasMessageContainingAll("patches of 65536", "cannot be built");
    }

    @Test
    void aT5WithTooFewBuckets() throws IOException {
        TestData.rewrite(model.resolve("text_encoder_3/model.safetensors"), tensors -> tensors.put(
                "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
                Tensor.of(new float[2 * 4], 2, 4)));
        assertFails().hasMessageContainingAll("2 buckets", "128");
    }

    @Test
    void aTensorOfAnotherType() throws IOException {
        TestData.rewrite(model.resolve("vae/diffusion_pytorch_model.safetensors"), tensors -> tensors.put(
                "decoder.conv_in.bias", Tensor.of(MemorySegment.ofArray(new byte[64 * 4]), DType.I32, Shape.of(64))));
        assertFails().hasMessageContaining("decoder.conv_in.bias").hasMessageContaining("I32");
    }

    @Test
    void aWeightThatIsNotANumber() throws IOException {
        TestData.rewrite(model.resolve("text_encoder_3/model.safetensors"), tensors -> {
            String name = "encoder.block.1.layer.1.DenseReluDense.wo.weight";
            float[] values = tensors.get(name).toArray();
            values[1000] = Float.NaN;
            tensors.put(name, Tensor.of(values, 256, 512));
        });
        assertFails().hasMessageContaining("encoder.block.1.layer.1.DenseReluDense.wo.weight")
                .hasMessageContaining("NaN at row 1, column 488");
    }

    @Test
    void aConfigurationOfAnotherModel() throws IOException {
        replace("transformer/config.json", "\"num_layers\": 4", "\"num_layers\": 24");
        assertFails().hasMessageContaining("num_layers is 24, the tensors say 4");
    }

    @Test
    void brokenJson() throws IOException {
        Files.write(model.resolve("text_encoder/config.json"), "{\"hidden_act\": ".getBytes(StandardCharsets.UTF_8));
        assertFails().hasMessageContaining("config.json").hasMessageContaining("not valid JSON");
    }

    @Test
    void aTokenizerOfALargerVocabulary() throws IOException {
        replace("tokenizer/vocab.json", "\"<|endoftext|>\": 1023", "\"<|endoftext|>\": 70000");
        assertFails().hasMessageContaining("70000");
    }

    @Test
    void requestsThatTheModelCannotDo() {
        var pipeline = Pipeline.open(model, backend);
        var request = pipeline.request("x");
        assertThatThrownBy(() -> pipeline.check(request.toBuilder().size(100, 64).build()))
                .hasMessage("a width of 100 is not a multiple of 16; 96 or 112 would work");
        assertThatThrownBy(() -> pipeline.check(request.toBuilder().size(64, 8).build()))
                .hasMessage("a height of 8 is not a multiple of 16; 16 is the smallest that works");
        assertThatThrownBy(() -> pipeline.check(request.toBuilder().size(528, 64).build()))
                .hasMessageContaining("at most 512");
        assertThatThrownBy(() -> pipeline.check(request.toBuilder()
                .skipLayers(new SkipLayers(List.of(4), 1, 0, 1)).build())).hasMessageContaining("layers 0 to 3");
        assertThatThrownBy(() -> pipeline.check(request.toBuilder().size(512, 512).images(100_000_000).build()))
                .isInstanceOf(InputException.class)
                .hasMessageContainingAll("100000000 pictures of 512x512", "at most 2730");
        assertThatThrownBy(() -> request.toBuilder().steps(0).build()).hasMessageContaining("at least 1");
        assertThatThrownBy(() -> request.toBuilder().guidance(Float.NaN).build()).hasMessageContaining("guidance");
        pipeline.check(request.toBuilder().size(512, 16).build());
    }
}
