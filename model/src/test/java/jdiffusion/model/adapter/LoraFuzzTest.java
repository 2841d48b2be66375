package jdiffusion.model.adapter;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.DiffusersFolder;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.families.Families;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Damaged LoRA files give an {@link InputException} or an adapted model that can be read; nothing else may happen. */
class LoraFuzzTest {
    private static final int ROUNDS = 150;
    private static final List<String> ENDS = List.of(".lora_A.weight", ".lora_B.weight", ".lora_down.weight",
            ".lora_up.weight", ".alpha", ".lokr_w1", ".lokr_w2", ".lokr_w1_a", ".lokr_w1_b", ".lokr_w2_a",
            ".lokr_w2_b", ".hada_w1_a", ".hada_w1_b", ".hada_w2_a", ".hada_w2_b");
    private static final List<String> MODULES = List.of("transformer.proj_out",
            "lora_unet_joint_blocks_0_x_block_attn_qkv", "lora_unet_final_layer_adaLN_modulation_1",
            "lora_unet_x_embedder_proj", "transformer_blocks.0.attn.to_out", "lora_te1_text_projection", ".", "lora_unet_", "transformer.", "transformer.pos_embed");

    private final ModelFiles model = DiffusersFolder.open(TestData.defaultModel(), Families.ALL);
    private final Random random = new Random(5);
    @TempDir
    private Path folder;

    private boolean isTaken(Path file) {
        try {
            ModelFiles files = AdaptedFiles.of(model, List.of(new Lora(file, 1)));
            for (Component component : List.of(Component.DENOISER, Component.CLIP_L)) {
                try (ModelFiles.Open open = files.open(component)) {
                    for (String name : open.tensors().names()) {
                        if (open.tensors().find(name) == null) {
                            open.tensors().weight(name).read(0, 0, 1, new float[1], 0);
                        }
                    }
                }
            }
            return true;
        } catch (InputException e) {
            return false;
        }
    }

    @Test
    void namesAndShapesAtRandom() {
        int[] sizes = {1, 2, 3, 16, 64, 256, 768, 512, 0};
        int taken = 0;
        for (int n = 0; n < ROUNDS; n++) {
            LoraMaker maker = new LoraMaker();
            String module = pick(MODULES);
            int rank = 1 + random.nextInt(3);
            if (n % 3 == 0) {
                maker.put("transformer.proj_out.lora_A.weight", rank, 256);
                maker.put("transformer.proj_out.lora_B.weight", 64, rank);
            }
            for (int i = random.nextInt(4); i > 0; i--) {
                int[] dims = new int[random.nextInt(4)];
                for (int d = 0; d < dims.length; d++) {
                    dims[d] = sizes[random.nextInt(d < 2 ? sizes.length : 3)];
                }
                maker.put(module + pick(ENDS), dims);
            }
            taken += isTaken(maker.write(folder.resolve("f.safetensors"))) ? 1 : 0;
        }
        assertThat(taken).isBetween(ROUNDS / 20, ROUNDS / 2);
    }

    @Test
    void bytesAtRandom() throws Exception {
        LoraMaker maker = new LoraMaker();
        maker.metadata.put("lora_adapter_metadata", "{\"transformer.lora_alpha\": 6, \"transformer.r\": 3}");
        maker.put("transformer.proj_out.lora_A.weight", 2, 256);
        maker.put("transformer.proj_out.lora_B.weight", 64, 2);
        byte[] sound = Files.readAllBytes(maker.write(folder.resolve("f.safetensors")));
        int taken = 0;
        for (int n = 0; n < ROUNDS; n++) {
            byte[] damaged = sound.clone();
            damaged[random.nextInt(n % 2 == 0 ? 400 : damaged.length)] ^= (byte) (1 << random.nextInt(8));
            Path file = folder.resolve("g" + n + ".safetensors");
            Files.write(file, damaged);
            taken += isTaken(file) ? 1 : 0;
        }
        assertThat(taken).isBetween(ROUNDS / 20, ROUNDS - ROUNDS / 20);
    }

    private <T> T pick(List<T> of) {
        return of.get(random.nextInt(of.size()));
    }
}
