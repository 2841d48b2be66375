package jdiffusion.model.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.families.Families;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Weight;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Where LoRA files keep their alphas, what their names are wrapped in, and what they hold beside what is used. */
class LoraFormsTest {
    /** Width of the default model's denoiser. */
    private static final int D = 256;
    private static final int RANK = 4;
    private static final String BLOCK = "transformer_blocks.0.attn.";

    private final LoraMaker maker = new LoraMaker();
    @TempDir
    private Path folder;

    private static ModelFiles model(Component... leftOut) {
        return Families.open(TestData.defaultModel(), new ModelSources(Map.of(), Set.of(leftOut), null, null));
    }

    private ModelFiles adapted(Component... leftOut) {
        return AdaptedFiles.of(model(leftOut), List.of(new Lora(maker.write(folder.resolve("a.safetensors")), 1)));
    }

    /** Row 0 of what the LoRA adds to a matrix. */
    private static float[] added(ModelFiles files, Component component, String name) {
        try (ModelFiles.Open base = model().open(component); ModelFiles.Open open = files.open(component)) {
            Weight stored = base.tensors().weight(name);
            float[] row = new float[stored.cols()];
            float[] plain = row.clone();
            stored.read(0, 0, row.length, plain, 0);
            open.tensors().weight(name).read(0, 0, row.length, row, 0);
            for (int i = 0; i < row.length; i++) {
                row[i] -= plain[i];
            }
            return row;
        }
    }

    private static void assertAdded(ModelFiles files, String name, double[][] delta) {
        float[] row = added(files, Component.DENOISER, name);
        for (int i = 0; i < row.length; i++) {
            assertThat(row[i]).isCloseTo((float) delta[0][i], Offset.offset(1e-5f));
        }
    }

    private double[][] pair(String module, double scale) {
        return maker.pair(module + ".lora_A.weight", module + ".lora_B.weight", D, D, RANK, scale);
    }

    @ParameterizedTest
    @ValueSource(strings = {"attn.to_q", "to_q", "transformer_blocks.0.attn.to_q",
        "transformer_blocks\\\\.\\\\d+\\\\.attn\\\\.to_q", "^transformer_blocks.0.attn.to_q", ".*q", "to_(q|v)",
        "(?P<a_block>transformer_blocks)\\\\.0\\\\..*to_q", "transformer_blocks_0.attn.to_q|attn.to_q$"})
    void alphasOfSomeModules(String key) {
        maker.metadata.put("lora_adapter_metadata", "{\"transformer.r\": 4, \"transformer.lora_alpha\": 4,"
                + " \"transformer.alpha_pattern\": {\"" + key + "\": 1, \"attn.(to_q)\": 99}}");
        double[][] q = pair("transformer." + BLOCK + "to_q", 0.25);
        double[][] k = pair("transformer." + BLOCK + "to_k", 1);
        ModelFiles files = adapted();
        assertAdded(files, BLOCK + "to_q.weight", q);
        assertAdded(files, BLOCK + "to_k.weight", k);
        assertThat(files.notes()).isEmpty();
    }

    /** A part of a name is no module, nor is what stands behind anything but a dot. */
    @Test
    void keysThatSayNothingAreNamed() {
        maker.metadata.put("lora_adapter_metadata", "{\"transformer.lora_alpha\": 8,"
                + " \"transformer.alpha_pattern\": {\"o_q\": 1, \"attn\": 1, \"to_q[\": 2, \"proj_out\": 3},"
                + " \"text_encoder_3.alpha_pattern\": {\"wo\": 1}, \"text_encoder.alpha_pattern\": null}");
        double[][] q = pair("transformer." + BLOCK + "to_q", 2);
        ModelFiles files = adapted();
        assertAdded(files, BLOCK + "to_q.weight", q);
        assertThat(files.notes()).hasSize(1);
        assertThat(files.notes().getFirst()).contains("a.safetensors, lora_adapter_metadata: 5 key(s) of alpha_pattern"
                + " fit none", "o_q", "attn", "to_q[ (no regular expression: ");
    }

    @Test
    @Timeout(60)
    void aPatternWithoutAnEnd() {
        maker.metadata.put("lora_adapter_metadata",
                "{\"transformer.lora_alpha\": 4, \"transformer.alpha_pattern\": {\"(.*.*.*.*.*)*x\": 1}}");
        pair("transformer." + BLOCK + "to_q", 1);
        assertThatThrownBy(this::adapted).isInstanceOf(InputException.class)
                .hasMessageContaining("alpha_pattern: the key ");
    }

    @ParameterizedTest
    @CsvSource({"pytorch_lora_weights,2", "adapter_model,2", "mine,2", "among_others,1"})
    void aConfigurationBesideTheFile(String name, double scale) throws IOException {
        Files.writeString(folder.resolve("adapter_config.json"), "\uFEFF{\"lora_alpha\": 4, \"use_rslora\": true,"
                + " \"alpha_pattern\": null, \"rank_pattern\": {\"x\": 1}, \"bias\": \"none\","
                + " \"peft_type\": \"LORA\"}");
        double[][] q = pair("transformer." + BLOCK + "to_q", scale);
        Path file = maker.write(folder.resolve(name + ".safetensors"));
        if (name.equals("among_others")) {
            maker.write(folder.resolve("other.safetensors"));
        }
        assertAdded(AdaptedFiles.of(model(), List.of(new Lora(file, 1))), BLOCK + "to_q.weight", q);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"\"use_dora\": true | has no magnitude", "\"peft_type\": \"OFT\" | PEFT's OFT",
        "\"lora_alpha\": \"x\" | not a number",
        "\"init_lora_weights\": \"pissa_niter_4\" | training began with pissa_niter_4"})
    void settingsThatAreNotKnown(String field, String message) throws IOException {
        Files.writeString(folder.resolve("adapter_config.json"), "{" + field + "}");
        pair("transformer." + BLOCK + "to_q", 1);
        assertThatThrownBy(this::adapted).isInstanceOf(InputException.class)
                .hasMessageContainingAll("adapter_config.json", message);
    }

    @ParameterizedTest
    @CsvSource({"transformer._orig_mod.,.lora_A.weight,.lora_B.weight,.",
        "transformer.module.,.lora_A.default.weight,.lora_B.default.weight,.",
        "module._orig_mod.transformer.,.lora_A.my-name.weight,.lora_B.my-name.weight,.",
        "_fsdp_wrapped_module.,.lora_A.weight,.lora_B.weight,._checkpoint_wrapped_module.",
        "base_model.model._orig_mod.,.lora_A.weight,.lora_B.weight,._orig_mod.",
        "model.diffusion_model.,.lora_A.weight,.lora_B.weight,.",
        "base_model.model.diffusion_model.,.lora_down.weight,.lora_up.weight,.",
        "lora_unet__orig_mod_,.lora_down.weight,.lora_up.weight,__orig_mod_",
        "lora_unet_module_,.lora_down.weight,.lora_up.weight,_",
        "net.,.lora_A.weight,.lora_B.weight,.",
        "my_trainer.model.,.lora_A.weight,.lora_B.weight,.",
        "base_model.model.model.transformer.,.lora_A.weight,.lora_B.weight,.",
        "state_dict.transformer.,.lora.down.weight,.lora.up.weight,."})
    void wrappedNames(String prefix, String down, String up, String inner) {
        boolean flat = inner.startsWith("_");
        String module = prefix + (flat ? "transformer_blocks_0" + inner + "attn_to_q"
                : "transformer_blocks.0" + inner + "attn.to_q");
        double[][] q = maker.pair(module + down, module + up, D, D, RANK, 1);
        assertAdded(adapted(), BLOCK + "to_q.weight", q);
    }

    /** They keep the alphas that the header has for their component; what names another network is no such word. */
    @Test
    void wordsBeforeTheNames() {
        maker.metadata.put("lora_adapter_metadata", "{\"transformer.lora_alpha\": 8, \"text_encoder.lora_alpha\": 1}");
        double[][] q = pair("pipeline.transformer." + BLOCK + "to_q", 2);
        assertAdded(adapted(), BLOCK + "to_q.weight", q);
        for (String other : List.of("controlnet.", "ema.", "teacher.", "ip_adapter.")) {
            maker.put(other + BLOCK + "to_k.lora_A.weight", 4, D);
            maker.put(other + BLOCK + "to_k.lora_B.weight", D, 4);
            assertThatThrownBy(this::adapted).hasMessageContaining("match nothing").hasMessageContaining(other);
        }
    }

    @ParameterizedTest
    @CsvSource({"lora_te3_encoder_block_0_layer_0_SelfAttention_q,T5",
        "text_encoder_3.encoder.block.0.layer.0.SelfAttention.q,T5",
        "my_trainer.text_encoder_3.encoder.block.0.layer.0.SelfAttention.q,T5",
        "lora_te1_text_model_encoder_layers_0_self_attn_q_proj,CLIP_L",
        "text_encoder_2.text_model.encoder.layers.0.self_attn.q_proj,CLIP_G"})
    void encodersThatAreLeftOut(String module, Component component) {
        double[][] q = pair("transformer." + BLOCK + "to_q", 1);
        maker.alpha(module + ".alpha", 1);
        maker.pair(module + ".lora_down.weight", module + ".lora_up.weight", 64, 64, 2, 1);
        ModelFiles files = adapted(component);
        assertAdded(files, BLOCK + "to_q.weight", q);
        assertThat(files.notes()).containsExactly(folder.resolve("a.safetensors") + ": 3 of its 5 tensors are for "
                + component.label() + ", which is left out");
        maker.put("lora_te9_x.lora_down.weight", 2, 64);
        assertThatThrownBy(() -> adapted(component)).hasMessageContaining("1 of its 6 tensors match nothing");
    }

    @Test
    void weightsForEncodersAndDenoiser() {
        double[][] q = pair("transformer." + BLOCK + "to_q", 0.5);
        String layer = "text_model.encoder.layers.0.self_attn.q_proj";
        double[][] text = maker.pair("text_encoder." + layer + ".lora_A.weight", "text_encoder." + layer
                + ".lora_B.weight", 64, 64, 2, -1);
        ModelFiles files = AdaptedFiles.of(model(), List.of(new Lora(maker.write(folder.resolve("a.safetensors")), 0.5f,
                -1)));
        assertAdded(files, BLOCK + "to_q.weight", q);
        assertThat(added(files, Component.CLIP_L, layer + ".weight")[3])
                .isCloseTo((float) text[0][3], Offset.offset(1e-5f));
    }

    @Test
    void whatTrainingLeavesIsNotInTheWay() {
        double[][] q = pair("transformer." + BLOCK + "to_q", 1);
        maker.put("global_step", 1);
        maker.put("optimizer.state.0.exp_avg", 7);
        ModelFiles files = adapted();
        assertAdded(files, BLOCK + "to_q.weight", q);
        assertThat(files.notes()).singleElement().asString().contains("2 tensor(s) that training left");
    }

    @Test
    void textualInversionsThatComeAlong() {
        double[][] q = pair("transformer." + BLOCK + "to_q", 1);
        maker.put("bundle_emb.my cat.clip_l", 2, 64);
        maker.put("bundle_emb.my cat.clip_g", 2, 64);
        ModelFiles files = adapted();
        assertAdded(files, BLOCK + "to_q.weight", q);
        assertThat(files.notes()).singleElement().asString().contains("left aside: my cat; in a prompt");
    }

    @ParameterizedTest
    @CsvSource({"base_model.model.proj_out.modules_to_save.weight,modules_to_save",
        "base_model.model.proj_out.modules_to_save.default.bias,modules_to_save",
        "base_model.model.proj_out.bias,PEFT's bias", "transformer.proj_out.lora_up.bias,a LoRA with biases",
        "transformer.proj_out.oft_r,OFT"})
    void whatIsNotSupportedIsNamed(String key, String kind) {
        pair("transformer." + BLOCK + "to_q", 1);
        maker.put(key, 4);
        assertThatThrownBy(this::adapted).isInstanceOf(InputException.class)
                .hasMessageContainingAll("a.safetensors", key, kind, "which is not supported");
    }

    /** A model, or a textual inversion, is no LoRA that asks for something unknown. */
    @Test
    void whatIsNoLora() {
        maker.put("transformer_blocks.0.attn.to_q.weight", D, D);
        maker.put("transformer_blocks.0.attn.to_q.bias", D);
        maker.put("clip_l", 2, 64);
        assertThatThrownBy(this::adapted).isInstanceOf(InputException.class).hasMessageContaining("a.safetensors: holds"
                + " nothing of a LoRA; its tensors are clip_l, transformer_blocks.0.attn.to_q.bias, ");
    }

    @Test
    void aFolderWithOneFileOfAnyName() throws IOException {
        double[][] q = pair("transformer." + BLOCK + "to_q", 1);
        maker.write(folder.resolve("Mine.SAFETENSORS"));
        assertAdded(AdaptedFiles.of(model(), List.of(new Lora(folder, 1))), BLOCK + "to_q.weight", q);
        maker.write(folder.resolve("second.safetensors"));
        assertThatThrownBy(() -> new Lora(folder, 1).weights()).hasMessageContaining("give the LoRA's file");
    }
}
