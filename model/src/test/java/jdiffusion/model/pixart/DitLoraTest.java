package jdiffusion.model.pixart;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.adapter.AdaptedFiles;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** A LoRA in PEFT's names draws what a model draws that has its products added to its weights. */
class DitLoraTest {
    private static final int RANK = 3;
    private static final float SCALE = 0.7f;
    private static final float ALPHA = 6;
    /** Products in one order and in another, through two steps whose latents are large. */
    private static final double TOLERANCE = 1e-4;
    private static final List<String> MODULES = List.of("transformer_blocks.0.attn1.to_q",
            "transformer_blocks.0.attn1.to_v", "transformer_blocks.1.attn1.to_out.0", "transformer_blocks.0.attn2.to_q",
            "transformer_blocks.1.attn2.to_k", "transformer_blocks.1.attn2.to_v", "transformer_blocks.0.attn2.to_out.0",
            "transformer_blocks.0.ff.net.0.proj", "transformer_blocks.1.ff.net.2", "adaln_single.linear",
            "adaln_single.emb.timestep_embedder.linear_1", "caption_projection.linear_2", "proj_out");

    @TempDir
    private Path folder;

    private static Path model() {
        return TestData.reference().resolve("pixart/model");
    }

    @TestFactory
    Stream<DynamicTest> drawsAsFolded() {
        return Stream.of("transformer.", "base_model.model.", "base_model.model.transformer.", "")
                .flatMap(prefix -> Stream.of(true, false).map(alphas -> DynamicTest.dynamicTest(
                        "'" + prefix + "'" + (alphas ? " with alphas" : ""), () -> check(prefix, alphas))));
    }

    private void check(String prefix, boolean alphas) throws IOException {
        Path at = folder.resolve(prefix + alphas);
        Map<String, Tensor> lora = new HashMap<>();
        Path folded = TestData.copy(model(), at.resolve("folded"));
        Path weights = folded.resolve("transformer/diffusion_pytorch_model.safetensors");
        TestData.rewrite(weights, tensors -> fold(tensors, lora, prefix, alphas));
        Path file = at.resolve("lora.safetensors");
        SafetensorsWriter.write(file, lora, Map.of());

        ModelFiles plain = open(model());
        float[] base = draw(plain);
        float[] expected = draw(open(folded));
        ModelFiles adapted = AdaptedFiles.of(plain, List.of(new Lora(file, SCALE)));
        assertThat(adapted.notes()).isEqualTo(plain.notes());
        float[] actual = draw(adapted);
        assertThat(distance(expected, base)).isGreaterThan(0.01);
        assertThat(distance(expected, actual)).isLessThan(TOLERANCE);
        try (SafetensorsFile io = SafetensorsFile.open(file)) {
            assertThat(io.names()).hasSize(MODULES.size() * (alphas ? 3 : 2));
        }
    }

    /** Adds the products to the weights, which become float32, and their factors to the LoRA. */
    private static void fold(Map<String, Tensor> tensors, Map<String, Tensor> lora, String prefix, boolean alphas) {
        Random random = new Random(5);
        float factor = SCALE * (alphas ? ALPHA / RANK : 1);
        for (String module : MODULES) {
            Tensor weight = tensors.get(module + ".weight");
            int n = weight.rows();
            int k = weight.cols();
            float[] down = values(random, RANK * k);
            float[] up = values(random, n * RANK);
            float[] sum = weight.toArray();
            for (int i = 0; i < n; i++) {
                for (int r = 0; r < RANK; r++) {
                    for (int j = 0; j < k; j++) {
                        sum[i * k + j] += factor * up[i * RANK + r] * down[r * k + j];
                    }
                }
            }
            tensors.put(module + ".weight", Tensor.of(sum, n, k));
            lora.put(prefix + module + ".lora_A.weight", Tensor.of(down, RANK, k));
            lora.put(prefix + module + ".lora_B.weight", Tensor.of(up, n, RANK));
            if (alphas) {
                lora.put(prefix + module + ".alpha", Tensor.of(new float[] {ALPHA}, 1));
            }
        }
    }

    private static float[] values(Random random, int count) {
        float[] all = new float[count];
        for (int i = 0; i < count; i++) {
            all[i] = (random.nextFloat() - 0.5f) / 3;
        }
        return all;
    }

    private static ModelFiles open(Path path) {
        return Families.open(path, ModelSources.NONE);
    }

    private static float[] draw(ModelFiles files) {
        try (CpuBackend backend = new CpuBackend(2, Precision.F32); Pipeline pipeline = Pipeline.open(files, backend)) {
            GenerationRequest request = pipeline.request("a red circle").toBuilder().size(64, 48)
                    .resolutionBinning(false).steps(2).t5Length(20).build();
            return pipeline.denoise(request, pipeline.encode(request, Progress.NONE), Progress.NONE);
        }
    }

    /** Root mean square of the difference, over that of the first. */
    private static double distance(float[] a, float[] b) {
        double difference = 0;
        double size = 0;
        for (int i = 0; i < a.length; i++) {
            difference += Math.pow(a[i] - b[i], 2);
            size += Math.pow(a[i], 2);
        }
        return Math.sqrt(difference / size);
    }
}
