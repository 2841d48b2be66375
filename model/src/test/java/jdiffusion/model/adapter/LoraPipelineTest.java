package jdiffusion.model.adapter;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.DiffusersFolder;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model with a LoRA beside it draws what the model with the LoRA merged into its weights draws. */
class LoraPipelineTest {
    private final CpuBackend backend = new CpuBackend(2, Precision.F32);
    @TempDir
    private Path folder;

    @AfterEach
    void close() {
        backend.close();
    }

    private float[] latents(ModelFiles files) {
        Pipeline pipeline = Pipeline.open(files, backend);
        GenerationRequest request = pipeline.request("a red circle").toBuilder().size(64, 48).steps(2).t5(false)
                .guidance(3).build();
        return pipeline.denoise(request, pipeline.encode(request, Progress.NONE), Progress.NONE);
    }

    @Test
    void asMerged() throws IOException {
        LoraMaker maker = new LoraMaker();
        double[][] qkv = maker.pair("lora_unet_joint_blocks_1_x_block_attn_qkv.lora_down.weight",
                "lora_unet_joint_blocks_1_x_block_attn_qkv.lora_up.weight", 768, 256, 4, 0.7);
        double[][] text = maker.pair("lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight",
                "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_up.weight", 256, 64, 2, 0.7);
        double[][] patches = maker.pair("lora_unet_x_embedder_proj.lora_down.weight",
                "lora_unet_x_embedder_proj.lora_up.weight", 256, 64, 2, 0.7);
        Path lora = maker.write(folder.resolve("lora.safetensors"));

        Path merged = TestData.copyOfDefaultModel(folder.resolve("merged"));
        TestData.rewrite(merged.resolve("transformer/diffusion_pytorch_model.safetensors"), tensors -> {
            for (int part = 0; part < 3; part++) {
                double[][] rows = LoraMaker.rows(qkv, part * 256, (part + 1) * 256);
                tensors.compute("transformer_blocks.1.attn.to_" + "qkv".charAt(part) + ".weight",
                        (_, stored) -> sum(stored, rows));
            }
            tensors.compute("pos_embed.proj.weight", (_, stored) -> sum(stored, patches));
        });
        TestData.rewrite(merged.resolve("text_encoder/model.safetensors"), tensors -> tensors.compute(
                "text_model.encoder.layers.0.mlp.fc1.weight", (_, stored) -> sum(stored, text)));

        ModelFiles plain = DiffusersFolder.open(TestData.defaultModel(), Families.ALL);
        float[] wanted = latents(DiffusersFolder.open(merged, Families.ALL));
        float[] adapted = latents(AdaptedFiles.of(plain, List.of(new Lora(lora, 0.7f))));
        float[] without = latents(plain);
        assertThat(distance(adapted, wanted)).isLessThan(1e-5);
        assertThat(distance(without, wanted)).isGreaterThan(1e-2);
    }

    private static Tensor sum(Tensor stored, double[][] delta) {
        float[] values = stored.toArray();
        int cols = delta[0].length;
        for (int i = 0; i < values.length; i++) {
            values[i] += (float) delta[i / cols][i % cols];
        }
        return Tensor.of(values, stored.shape().dims());
    }

    private static double distance(float[] a, float[] b) {
        double error = 0;
        double size = 0;
        for (int i = 0; i < a.length; i++) {
            error += Math.pow(a[i] - b[i], 2);
            size += b[i] * (double) b[i];
        }
        return Math.sqrt(error / size);
    }
}
