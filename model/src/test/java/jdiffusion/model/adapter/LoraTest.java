package jdiffusion.model.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.DiffusersFolder;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.families.Families;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** LoRAs over the default model, in the key styles of the programs that train them. */
class LoraTest {
    /** Width of the default model's denoiser; CLIP-L's is 64, T5's 256. */
    private static final int D = 256;
    private static final int INNER = 4 * D;
    private static final int RANK = 3;
    private static final Offset<Float> CLOSE = Offset.offset(1e-6f);

    private final ModelFiles model = DiffusersFolder.open(TestData.defaultModel(), Families.ALL);
    private final LoraMaker maker = new LoraMaker();
    @TempDir
    private Path folder;

    private ModelFiles adapted(float weight) {
        return AdaptedFiles.of(model, List.of(new Lora(maker.write(folder.resolve("a.safetensors")), weight)));
    }

    /** Every element of the matrix, against base + delta. */
    private void assertAdapted(ModelFiles files, Component component, String name, double[][] delta) {
        try (ModelFiles.Open base = model.open(component); ModelFiles.Open open = files.open(component)) {
            Weight stored = base.tensors().weight(name);
            Weight weight = open.tensors().weight(name);
            assertThat(open.tensors().find(name)).isNull();
            assertThat(open.tensors().shape(name)).isEqualTo(base.tensors().shape(name));
            float[] wanted = new float[stored.cols()];
            float[] got = new float[stored.cols()];
            for (int row = 0; row < stored.rows(); row++) {
                stored.read(row, 0, wanted.length, wanted, 0);
                weight.read(row, 0, got.length, got, 0);
                for (int i = 0; i < got.length; i++) {
                    assertThat(got[i]).as("%s row %d column %d", name, row, i)
                            .isCloseTo((float) (wanted[i] + delta[row][i]), CLOSE);
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "transformer.transformer_blocks.1.attn.to_q.lora_A.weight,"
            + "transformer.transformer_blocks.1.attn.to_q.lora_B.weight",
        "transformer_blocks.1.attn.to_q.lora_A.default.weight,transformer_blocks.1.attn.to_q.lora_B.default.weight",
        "base_model.model.transformer_blocks.1.attn.to_q.lora_A.weight,"
            + "base_model.model.transformer_blocks.1.attn.to_q.lora_B.weight",
        "base_model.model.transformer.transformer_blocks.1.attn.to_q.lora_A,"
            + "base_model.model.transformer.transformer_blocks.1.attn.to_q.lora_B",
        "diffusion_model.transformer_blocks.1.attn.to_q.lora.down.weight,"
            + "diffusion_model.transformer_blocks.1.attn.to_q.lora.up.weight",
        "transformer.transformer_blocks.1.attn.processor.to_q_lora.down.weight,"
            + "transformer.transformer_blocks.1.attn.processor.to_q_lora.up.weight",
        "lora_unet_transformer_blocks_1_attn_to_q.lora_down.weight,"
            + "lora_unet_transformer_blocks_1_attn_to_q.lora_up.weight",
        "lora_transformer_transformer_blocks_1_attn_to_q.lora_down.weight,"
            + "lora_transformer_transformer_blocks_1_attn_to_q.lora_up.weight",
        "lycoris_transformer_blocks_1_attn_to_q.lora_down.weight,"
            + "lycoris_transformer_blocks_1_attn_to_q.lora_up.weight"})
    void prefixesAndSuffixes(String down, String up) {
        double[][] delta = maker.pair(down, up, D, D, RANK, 0.5);
        assertAdapted(adapted(0.5f), Component.DENOISER, "transformer_blocks.1.attn.to_q.weight", delta);
    }

    @ParameterizedTest
    @CsvSource({
        "lora_te1_text_model_encoder_layers_1_mlp_fc1,CLIP_L,text_model.encoder.layers.1.mlp.fc1.weight,256,64",
        "lora_te_text_model_encoder_layers_0_self_attn_q_proj,CLIP_L,"
            + "text_model.encoder.layers.0.self_attn.q_proj.weight,64,64",
        "text_encoder.text_model.encoder.layers.0.self_attn.out_proj,CLIP_L,"
            + "text_model.encoder.layers.0.self_attn.out_proj.weight,64,64",
        "text_encoder_2.encoder.layers.0.self_attn.v_proj,CLIP_G,text_model.encoder.layers.0.self_attn.v_proj.weight,"
            + "128,128",
        "lora_te2_text_projection,CLIP_G,text_projection.weight,128,128",
        "lora_te3_encoder_block_1_layer_1_DenseReluDense_wi_0,T5,encoder.block.1.layer.1.DenseReluDense.wi_0.weight,"
            + "512,256",
        "text_encoder_3.encoder.block.0.layer.0.SelfAttention.q,T5,encoder.block.0.layer.0.SelfAttention.q.weight,"
            + "192,256",
        "text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.o,T5,"
            + "encoder.block.0.layer.0.SelfAttention.o.weight,256,192"})
    void textEncoders(String module, Component component, String name, int n, int k) {
        maker.alpha(module + ".alpha", 1.5f);
        double[][] delta = maker.pair(module + ".lora_down.weight", module + ".lora_up.weight", n, k, RANK, 1.5 / RANK);
        assertAdapted(adapted(1), component, name, delta);
    }

    @ParameterizedTest
    @CsvSource({"lora_unet_joint_blocks_0_x_block_attn_qkv,transformer_blocks.0.attn.to_,to_v",
        "diffusion_model.joint_blocks.0.x_block.attn2.qkv,transformer_blocks.0.attn2.to_,to_v",
        "lora_unet_joint_blocks_3_context_block_attn_qkv,transformer_blocks.3.attn.add_,add_v_proj"})
    void fusedProjectionsAreCut(String module, String prefix, String last) {
        maker.alpha(module + ".alpha", 2);
        double[][] delta = maker.pair(module + ".lora_down.weight", module + ".lora_up.weight", 3 * D, D, RANK,
                2.0 / RANK * -0.7);
        ModelFiles files = adapted(-0.7f);
        String suffix = last.endsWith("_proj") ? "_proj.weight" : ".weight";
        for (int part = 0; part < 3; part++) {
            assertAdapted(files, Component.DENOISER, prefix + "qkv".charAt(part) + suffix,
                    LoraMaker.rows(delta, part * D, (part + 1) * D));
        }
    }

    @Test
    void stabilitysNamesAndSwappedHalves() {
        double[][] last = maker.pair("joint_blocks.3.context_block.adaLN_modulation.1.lora_down.weight",
                "joint_blocks.3.context_block.adaLN_modulation.1.lora_up.weight", 2 * D, D, 2, 1);
        double[][] end = maker.pair("lora_unet_final_layer_adaLN_modulation_1.lora_down.weight",
                "lora_unet_final_layer_adaLN_modulation_1.lora_up.weight", 2 * D, D, 2, 1);
        double[][] first = maker.pair("lora_unet_joint_blocks_0_context_block_adaLN_modulation_1.lora_down.weight",
                "lora_unet_joint_blocks_0_context_block_adaLN_modulation_1.lora_up.weight", 6 * D, D, 2, 1);
        double[][] mlp = maker.pair("lora_unet_joint_blocks_1_x_block_mlp_fc2.lora_down.weight",
                "lora_unet_joint_blocks_1_x_block_mlp_fc2.lora_up.weight", D, INNER, 2, 1);
        double[][] time = maker.pair("lora_unet_t_embedder_mlp_2.lora_down.weight",
                "lora_unet_t_embedder_mlp_2.lora_up.weight", D, D, 2, 1);
        ModelFiles files = adapted(1);
        assertAdapted(files, Component.DENOISER, "transformer_blocks.3.norm1_context.linear.weight",
                LoraMaker.rows(last, D, 2 * D, 0, D));
        assertAdapted(files, Component.DENOISER, "norm_out.linear.weight", LoraMaker.rows(end, D, 2 * D, 0, D));
        assertAdapted(files, Component.DENOISER, "transformer_blocks.0.norm1_context.linear.weight", first);
        assertAdapted(files, Component.DENOISER, "transformer_blocks.1.ff.net.2.weight", mlp);
        assertAdapted(files, Component.DENOISER, "time_text_embed.timestep_embedder.linear_2.weight", time);
    }

    @Test
    void lokrInAllFactorings() {
        String q = "lycoris_transformer_blocks_0_attn_to_q";
        double[][] full = LoraMaker.kronecker(LoraMaker.of(maker.put(q + ".lokr_w1", 8, 4)),
                LoraMaker.of(maker.put(q + ".lokr_w2", 32, 64)));
        maker.alpha(q + ".alpha", 777); // without a low rank it has no meaning
        String k = "lycoris_transformer_blocks_0_attn_to_k";
        double[][] low = LoraMaker.scaled(LoraMaker.kronecker(LoraMaker.of(maker.put(k + ".lokr_w1", 16, 16)),
                LoraMaker.product(maker.put(k + ".lokr_w2_a", 16, 2), maker.put(k + ".lokr_w2_b", 2, 16))), 0.75 / 2);
        maker.alpha(k + ".alpha", 0.75f);
        String v = "lycoris_transformer_blocks_0_attn_to_v";
        double[][] both = LoraMaker.kronecker(
                LoraMaker.product(maker.put(v + ".lokr_w1_a", 16, 3), maker.put(v + ".lokr_w1_b", 3, 8)),
                LoraMaker.product(maker.put(v + ".lokr_w2_a", 16, 3), maker.put(v + ".lokr_w2_b", 3, 32)));
        // Rows of the parts that are no multiple of w2's: 768 in 32 times 24.
        String fused = "lora_unet_joint_blocks_1_x_block_attn_qkv";
        double[][] cut = LoraMaker.kronecker(LoraMaker.of(maker.put(fused + ".lokr_w1", 32, 16)),
                LoraMaker.of(maker.put(fused + ".lokr_w2", 24, 16)));
        String swapped = "lora_unet_final_layer_adaLN_modulation_1";
        double[][] end = LoraMaker.kronecker(LoraMaker.of(maker.put(swapped + ".lokr_w1", 1, 16)),
                LoraMaker.of(maker.put(swapped + ".lokr_w2", 2 * D, 16)));
        ModelFiles files = adapted(1);
        assertAdapted(files, Component.DENOISER, "transformer_blocks.0.attn.to_q.weight", full);
        assertAdapted(files, Component.DENOISER, "transformer_blocks.0.attn.to_k.weight", low);
        assertAdapted(files, Component.DENOISER, "transformer_blocks.0.attn.to_v.weight", both);
        assertAdapted(files, Component.DENOISER, "transformer_blocks.1.attn.to_k.weight",
                LoraMaker.rows(cut, D, 2 * D));
        assertAdapted(files, Component.DENOISER, "norm_out.linear.weight", LoraMaker.rows(end, D, 2 * D, 0, D));
    }

    @Test
    void lohaIsAProductElementByElement() {
        String q = "lycoris_transformer_blocks_2_attn_to_out_0";
        double[][] one = LoraMaker.product(maker.put(q + ".hada_w1_a", D, 2), maker.put(q + ".hada_w1_b", 2, D));
        double[][] two = LoraMaker.product(maker.put(q + ".hada_w2_a", D, 2), maker.put(q + ".hada_w2_b", 2, D));
        maker.alpha(q + ".alpha", 8);
        for (int i = 0; i < D; i++) {
            for (int j = 0; j < D; j++) {
                one[i][j] *= two[i][j] * 8 / 2;
            }
        }
        assertAdapted(adapted(1), Component.DENOISER, "transformer_blocks.2.attn.to_out.0.weight", one);
    }

    @Test
    void peftsAlphasInTheHeader() {
        maker.metadata.put("lora_adapter_metadata", "{\"transformer.lora_alpha\": 6, \"transformer.r\": 3,"
                + " \"transformer.alpha_pattern\": {\"transformer_blocks.0.attn.to_k\": 12},"
                + " \"text_encoder.lora_alpha\": 1, \"text_encoder.use_rslora\": true}");
        double[][] q = maker.pair("transformer.transformer_blocks.0.attn.to_q.lora_A.weight",
                "transformer.transformer_blocks.0.attn.to_q.lora_B.weight", D, D, RANK, 2);
        double[][] k = maker.pair("transformer.transformer_blocks.0.attn.to_k.lora_A.weight",
                "transformer.transformer_blocks.0.attn.to_k.lora_B.weight", D, D, RANK, 4);
        double[][] text = maker.pair("text_encoder.text_model.encoder.layers.0.mlp.fc2.lora_A.weight",
                "text_encoder.text_model.encoder.layers.0.mlp.fc2.lora_B.weight", 64, 256, RANK, 1 / Math.sqrt(RANK));
        ModelFiles files = adapted(1);
        assertAdapted(files, Component.DENOISER, "transformer_blocks.0.attn.to_q.weight", q);
        assertAdapted(files, Component.DENOISER, "transformer_blocks.0.attn.to_k.weight", k);
        assertAdapted(files, Component.CLIP_L, "text_model.encoder.layers.0.mlp.fc2.weight", text);
    }

    @Test
    void peftsConfigurationBesideTheFile() throws IOException {
        Files.writeString(folder.resolve("adapter_config.json"), "{\"lora_alpha\": 9, \"r\": 3}");
        double[][] delta = maker.pair("base_model.model.proj_out.lora_A.weight",
                "base_model.model.proj_out.lora_B.weight", 64, D, RANK, 3);
        maker.write(folder.resolve("adapter_model.safetensors"));
        assertAdapted(AdaptedFiles.of(model, List.of(new Lora(folder, 1))), Component.DENOISER, "proj_out.weight",
                delta);
    }

    @Test
    void severalAddUpAndNoneOfWeightZero() {
        String key = "transformer.transformer_blocks.0.ff.net.0.proj.lora_";
        double[][] one = maker.pair(key + "A.weight", key + "B.weight", INNER, D, 1, 0.25);
        Path first = maker.write(folder.resolve("first.safetensors"));
        maker.tensors.clear();
        double[][] two = maker.pair(key + "A.weight", key + "B.weight", INNER, D, 5, -2);
        Path second = maker.write(folder.resolve("second.safetensors"));
        for (int i = 0; i < INNER; i++) {
            for (int j = 0; j < D; j++) {
                one[i][j] += two[i][j];
            }
        }
        List<Lora> both = List.of(new Lora(first, 0.25f), new Lora(second, -2));
        assertAdapted(AdaptedFiles.of(model, both), Component.DENOISER, "transformer_blocks.0.ff.net.0.proj.weight",
                one);
        try (ModelFiles.Open open = AdaptedFiles.of(model, List.of(new Lora(first, 0))).open(Component.DENOISER)) {
            assertThat(open.tensors().weight("transformer_blocks.0.ff.net.0.proj.weight"))
                    .isInstanceOf(Weight.Dense.class);
        }
        assertThat(AdaptedFiles.of(model, List.of())).isSameAs(model);
    }

    @Test
    void theConvolutionOfPatchesIsSummedUp() {
        Tensor down = maker.put("lora_unet_x_embedder_proj.lora_down.weight", RANK, 16, 2, 2);
        Tensor up = maker.put("lora_unet_x_embedder_proj.lora_up.weight", D, RANK, 1, 1);
        double[][] delta = LoraMaker.product(up.reshape(D, RANK), down.reshape(RANK, 64));
        try (ModelFiles.Open base = model.open(Component.DENOISER);
                ModelFiles.Open open = adapted(1).open(Component.DENOISER)) {
            float[] stored = base.tensors().find("pos_embed.proj.weight").toArray();
            float[] got = open.tensors().find("pos_embed.proj.weight").toArray();
            for (int i = 0; i < got.length; i++) {
                assertThat(got[i]).isCloseTo((float) (stored[i] + delta[i / 64][i % 64]), CLOSE);
            }
        }
    }

    private void assertFails(String... parts) {
        assertThatThrownBy(() -> adapted(1)).isInstanceOf(InputException.class).satisfies(e -> {
            assertThat(e.getMessage()).contains("a.safetensors").contains(parts).doesNotContain("\n")
                    .hasSizeLessThan(1500);
        });
    }

    @Test
    void unmatchedKeysAreCountedAndShown() {
        for (int i = 0; i < 10; i++) {
            maker.put("transformer.transformer_blocks.3" + i + ".attn.to_q.lora_A.weight", 1, D);
            maker.put("transformer.transformer_blocks.3" + i + ".attn.to_q.lora_B.weight", D, 1);
        }
        maker.put("stranger", 3);
        maker.put("transformer.proj_out.lora_A.weight", 1, D);
        maker.put("transformer.proj_out.lora_B.weight", 64, 1);
        assertFails("21 of its 23 tensors match nothing in",
                "stranger, transformer.transformer_blocks.30.attn.to_q.lora_",
                "and 13 more; is this LoRA for another model? this one is SD3.5 Medium");
    }

    @Test
    void otherShapes() {
        maker.put("transformer.transformer_blocks.0.attn.to_q.lora_A.weight", 2, 2432);
        maker.put("transformer.transformer_blocks.0.attn.to_q.lora_B.weight", 2432, 2);
        assertFails("transformer.transformer_blocks.0.attn.to_q.lora_A.weight is of a matrix [2432, 2432], but",
                "transformer_blocks.0.attn.to_q.weight", "is [256, 256]; is this LoRA for another model?");
    }

    @Test
    void partsThatDoNotFit() {
        String key = "transformer.transformer_blocks.0.attn.to_q.lora_";
        maker.put(key + "A.weight", 2, D);
        assertFails(key + "A.weight has no lora_up beside it");
        maker.put(key + "B.weight", D, 3);
        assertFails(key + "B.weight [256, 3] and " + key + "A.weight [2, 256] do not belong together");
        maker.put(key + "B.weight", D);
        assertFails(key + "B.weight is [256], not a matrix");
        maker.put(key + "B.weight", D, 2).set(5, 1, Float.NaN);
        assertFails(key + "B.weight holds NaN; the file is damaged");
        maker.put(key + "B.weight", 0, 2);
        assertFails(key + "B.weight is empty");
        maker.put(key + "B.weight", D, 2);
        maker.put(key.replace(".lora_", ".alpha"), 2);
        assertFails(".alpha is [2], not one number");
        maker.tensors.remove(key + "A.weight");
        maker.tensors.remove(key + "B.weight");
        assertFails(".alpha stands alone");
        maker.tensors.clear();
        assertFails("holds no tensors");
    }

    @Test
    void factorsOfMatricesThatNoMemoryHolds() {
        int many = 1 << 17;
        for (String half : List.of("1", "2")) {
            maker.put("transformer.proj_out.hada_w" + half + "_a", 1, many);
            maker.put("transformer.proj_out.hada_w" + half + "_b", many, 1);
        }
        assertFails("transformer.proj_out.hada_w1_a and the tensors beside it", "a size of 17179869184");
        maker.tensors.clear();
        maker.put("transformer.proj_out.lokr_w1", many, 1);
        maker.put("transformer.proj_out.lokr_w2", many, 1);
        assertFails("transformer.proj_out.lokr_w1 and the tensors beside it");
        maker.tensors.clear();
        maker.put("transformer.proj_out.lokr_w1_a", many, 1);
        maker.put("transformer.proj_out.lokr_w1_b", 1, many);
        maker.put("transformer.proj_out.lokr_w2", 1, 1);
        assertFails("transformer.proj_out.lokr_w1_a and the tensors beside it");
    }

    @Test
    void twoNamesOfOnePart() {
        maker.put("transformer.proj_out.lora_A.weight", 1, D);
        maker.put("transformer.proj_out.lora_A.default.weight", 1, D);
        assertFails("are the same part of one matrix");
    }

    @ParameterizedTest
    @CsvSource({"lora_unet_proj_out.set_weight,a weight's shape", "lycoris_proj_out.lokr_t1,Tucker",
        "transformer.proj_out.lora_bias,a LoRA with biases"})
    void otherAdaptersAreRefusedByName(String key, String kind) {
        maker.put("transformer.proj_out.lora_A.weight", 1, D);
        maker.put(key, 4);
        assertFails(key + " belongs to", kind, "not supported");
    }

    @Test
    void damagedMetadata() {
        maker.put("transformer.proj_out.lora_A.weight", 1, D);
        maker.put("transformer.proj_out.lora_B.weight", 64, 1);
        maker.metadata.put("lora_adapter_metadata", "{\"transformer.lora_alpha\": \"x\"}");
        assertFails("the alpha of transformer.proj_out is");
        maker.metadata.put("lora_adapter_metadata", "{");
        assertFails("not valid JSON");
        maker.metadata.put("lora_adapter_metadata", "[]");
        assertFails("not a JSON object");
    }

    @Test
    void aWeightThatIsNoNumber() {
        assertThatThrownBy(() -> new Lora(Path.of("x"), Float.NaN)).isInstanceOf(InputException.class);
    }
}
