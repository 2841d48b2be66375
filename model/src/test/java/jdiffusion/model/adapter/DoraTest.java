package jdiffusion.model.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.DiffusersFolder;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.families.Families;
import jdiffusion.model.quantize.QuantizeRules;
import jdiffusion.model.quantize.QuantizingFiles;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** DoRA against its definition in double: W + s (m (W + D) / ||W + D|| - W), over rows or over columns. */
class DoraTest {
    /** Width of the default model's denoiser; CLIP-L's is 64. */
    private static final int D = 256;
    private static final int INNER = 4 * D;
    private static final int RANK = 3;
    /** Float32 factors times elements below 4, plus a few sums of such. */
    private static final Offset<Double> CLOSE = Offset.offset(4e-6);

    private ModelFiles model = DiffusersFolder.open(TestData.defaultModel(), Families.ALL);
    private final LoraMaker maker = new LoraMaker();
    private final List<Lora> loras = new ArrayList<>();
    @TempDir
    private Path folder;

    /** What the maker holds, as one more LoRA. */
    private void add(float weight) {
        loras.add(new Lora(maker.write(folder.resolve(loras.size() + ".safetensors")), weight));
        maker.tensors.clear();
    }

    private ModelFiles adapted() {
        return AdaptedFiles.of(model, loras);
    }

    /** Positive lengths. */
    private double[] lengths(String key, int... dims) {
        Tensor tensor = maker.put(key, dims);
        double[] values = new double[(int) tensor.shape().size()];
        float[] positive = tensor.toArray();
        for (int i = 0; i < values.length; i++) {
            positive[i] = 2 + positive[i];
            values[i] = positive[i];
        }
        maker.tensors.put(key, Tensor.of(positive, dims));
        return values;
    }

    private static double[][] matrix(TensorSource tensors, String name) {
        Tensor plain = tensors.find(name);
        if (plain != null && plain.shape().rank() == 4) {
            int rows = plain.shape().dim(0);
            return LoraMaker.of(plain.reshape(rows, (int) plain.shape().size() / rows));
        }
        Weight weight = tensors.weight(name);
        double[][] out = new double[weight.rows()][weight.cols()];
        float[] row = new float[weight.cols()];
        for (int i = 0; i < out.length; i++) {
            weight.read(i, 0, row.length, row, 0);
            for (int j = 0; j < row.length; j++) {
                out[i][j] = row[j];
            }
        }
        return out;
    }

    private double[][] stored(Component component, String name) {
        try (ModelFiles.Open open = model.open(component)) {
            return matrix(open.tensors(), name);
        }
    }

    private static double[][] plain(double[][] w, double[][] delta, double s) {
        double[][] out = new double[w.length][w[0].length];
        for (int i = 0; i < w.length; i++) {
            for (int j = 0; j < w[0].length; j++) {
                out[i][j] = w[i][j] + s * delta[i][j];
            }
        }
        return out;
    }

    private static double[][] byRow(double[][] w, double[][] delta, double[] lengths, double s) {
        double[][] sum = plain(w, delta, 1);
        double[][] out = new double[w.length][w[0].length];
        for (int i = 0; i < w.length; i++) {
            double square = 0;
            for (double value : sum[i]) {
                square += value * value;
            }
            for (int j = 0; j < w[0].length; j++) {
                out[i][j] = w[i][j] + s * (lengths[i] * sum[i][j] / Math.sqrt(square) - w[i][j]);
            }
        }
        return out;
    }

    /** @param each neighbouring columns that are of one input channel */
    private static double[][] byInput(double[][] w, double[][] delta, double[] lengths, int each, double s) {
        double[][] sum = plain(w, delta, 1);
        double[] squares = new double[lengths.length];
        double[][] out = new double[w.length][w[0].length];
        for (double[] row : sum) {
            for (int j = 0; j < row.length; j++) {
                squares[j / each] += row[j] * row[j];
            }
        }
        for (int i = 0; i < w.length; i++) {
            for (int j = 0; j < w[0].length; j++) {
                out[i][j] = w[i][j] + s * (lengths[j / each] * sum[i][j] / Math.sqrt(squares[j / each]) - w[i][j]);
            }
        }
        return out;
    }

    private static void assertMatrix(ModelFiles files, Component component, String name, double[][] wanted) {
        try (ModelFiles.Open open = files.open(component)) {
            double[][] got = matrix(open.tensors(), name);
            for (int i = 0; i < wanted.length; i++) {
                for (int j = 0; j < wanted[0].length; j++) {
                    if (Math.abs(got[i][j] - wanted[i][j]) <= CLOSE.value) {
                        continue;
                    }
                    assertThat(got[i][j]).as("%s row %d column %d", name, i, j).isCloseTo(wanted[i][j], CLOSE);
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "transformer.transformer_blocks.1.ff.net.0.proj,.lora_A.weight,.lora_B.weight,.lora_magnitude_vector,r",
        "base_model.model.transformer_blocks.1.ff.net.0.proj,.lora_A.weight,.lora_B.weight,"
            + ".lora_magnitude_vector.weight,r",
        "transformer_blocks.1.ff.net.0.proj,.lora_A.default.weight,.lora_B.default.weight,"
            + ".lora_magnitude_vector.default.weight,r",
        "lora_unet_transformer_blocks_1_ff_net_0_proj,.lora_down.weight,.lora_up.weight,.dora_scale,r1",
        "lora_unet_transformer_blocks_1_ff_net_0_proj,.lora_down.weight,.lora_up.weight,.dora_scale,r",
        "lora_transformer_transformer_blocks_1_ff_net_0_proj,.lora_down.weight,.lora_up.weight,.dora_scale,1c",
        "lycoris_transformer_blocks_1_ff_net_0_proj,.lora_down.weight,.lora_up.weight,.dora_scale,1c",
        "lycoris_joint_blocks_1_x_block_mlp_fc1,.lora_down.weight,.lora_up.weight,.dora_scale,1c"})
    void spellingsAxesAndStrengths(String module, String down, String up, String magnitude, String form) {
        String name = "transformer_blocks.1.ff.net.0.proj.weight";
        double[][] w = stored(Component.DENOISER, name);
        for (float s : new float[] {0, 0.7f, 1, -0.5f, 1.5f}) {
            loras.clear();
            maker.alpha(module + ".alpha", 1.5f);
            double[][] delta = maker.pair(module + down, module + up, INNER, D, RANK, 1.5 / RANK);
            double[][] wanted = switch (form) {
                case "r" -> byRow(w, delta, lengths(module + magnitude, INNER), s);
                case "r1" -> byRow(w, delta, lengths(module + magnitude, INNER, 1), s);
                default -> byInput(w, delta, lengths(module + magnitude, 1, D), 1, s);
            };
            add(s);
            assertMatrix(adapted(), Component.DENOISER, name, s == 0 ? w : wanted);
        }
    }

    /** As many outputs as inputs: the form says which. */
    @Test
    void squareMatrices() {
        String q = "transformer_blocks.0.attn.to_q";
        String k = "transformer_blocks.0.attn.to_k";
        double[][] one = maker.pair("lora_unet_" + q + ".lora_down.weight", "lora_unet_" + q + ".lora_up.weight", D, D,
                RANK, 1);
        double[] rows = lengths("lora_unet_" + q + ".dora_scale", D, 1);
        double[][] two = maker.pair("lora_unet_" + k + ".lora_down.weight", "lora_unet_" + k + ".lora_up.weight", D, D,
                RANK, 1);
        double[] columns = lengths("lora_unet_" + k + ".dora_scale", 1, D);
        add(0.7f);
        assertMatrix(adapted(), Component.DENOISER, q + ".weight",
                byRow(stored(Component.DENOISER, q + ".weight"), one, rows, 0.7f));
        assertMatrix(adapted(), Component.DENOISER, k + ".weight",
                byInput(stored(Component.DENOISER, k + ".weight"), two, columns, 1, 0.7f));
    }

    @Test
    void oneAfterTheOther() {
        String name = "transformer_blocks.0.attn.to_out.0";
        double[][] wanted = stored(Component.DENOISER, name + ".weight");
        float[] strengths = {0.5f, 0.8f, -1, 1, 0.3f};
        for (int i = 0; i < strengths.length; i++) {
            String module = "transformer." + name;
            double[][] delta = maker.pair(module + ".lora_A.weight", module + ".lora_B.weight", D, D, i + 1, 1);
            wanted = switch (i) {
                case 0, 2 -> plain(wanted, delta, strengths[i]);
                case 3 -> byInput(wanted, delta, lengths(module + ".dora_scale", 1, D), 1, strengths[i]);
                default -> byRow(wanted, delta, lengths(module + ".lora_magnitude_vector", D), strengths[i]);
            };
            add(strengths[i]);
        }
        assertMatrix(adapted(), Component.DENOISER, name + ".weight", wanted);
    }

    /** The inputs' lengths are those of q, k and v together. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void fusedProjections(boolean rows) {
        String fused = "lora_unet_joint_blocks_0_x_block_attn_qkv";
        double[][] delta = maker.pair(fused + ".lora_down.weight", fused + ".lora_up.weight", 3 * D, D, RANK, 1);
        double[] lengths = rows ? lengths(fused + ".dora_scale", 3 * D, 1) : lengths(fused + ".dora_scale", 1, D);
        add(0.6f);
        double[][] w = new double[3 * D][];
        for (int i = 0; i < 3; i++) {
            System.arraycopy(stored(Component.DENOISER, "transformer_blocks.0.attn.to_" + "qkv".charAt(i) + ".weight"),
                    0, w, i * D, D);
        }
        double[][] wanted = rows ? byRow(w, delta, lengths, 0.6f) : byInput(w, delta, lengths, 1, 0.6f);
        for (int i = 2; i >= 0; i--) {
            assertMatrix(adapted(), Component.DENOISER, "transformer_blocks.0.attn.to_" + "qkv".charAt(i) + ".weight",
                    LoraMaker.rows(wanted, i * D, (i + 1) * D));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void swappedHalves(boolean rows) {
        String module = "lora_unet_final_layer_adaLN_modulation_1";
        double[][] delta = maker.pair(module + ".lora_down.weight", module + ".lora_up.weight", 2 * D, D, RANK, 1);
        double[] lengths = rows ? lengths(module + ".dora_scale", 2 * D, 1) : lengths(module + ".dora_scale", 1, D);
        add(0.6f);
        double[][] w = LoraMaker.rows(stored(Component.DENOISER, "norm_out.linear.weight"), D, 2 * D, 0, D);
        double[][] wanted = rows ? byRow(w, delta, lengths, 0.6f) : byInput(w, delta, lengths, 1, 0.6f);
        assertMatrix(adapted(), Component.DENOISER, "norm_out.linear.weight", LoraMaker.rows(wanted, D, 2 * D, 0, D));
    }

    @ParameterizedTest
    @CsvSource({"dora_scale,256:1:1:1", "dora_scale,1:16:1:1", "lora_magnitude_vector,1:256:1:1"})
    void convolutions(String part, String form) {
        String module = "lora_unet_x_embedder_proj";
        Tensor down = maker.put(module + ".lora_down.weight", RANK, 16, 2, 2);
        Tensor up = maker.put(module + ".lora_up.weight", D, RANK, 1, 1);
        double[][] delta = LoraMaker.product(up.reshape(D, RANK), down.reshape(RANK, 64));
        int[] dims = Arrays.stream(form.split(":")).mapToInt(Integer::parseInt).toArray();
        double[] lengths = lengths(module + "." + part, dims);
        add(0.7f);
        double[][] w = stored(Component.DENOISER, "pos_embed.proj.weight");
        assertMatrix(adapted(), Component.DENOISER, "pos_embed.proj.weight",
                lengths.length == D ? byRow(w, delta, lengths, 0.7f) : byInput(w, delta, lengths, 4, 0.7f));
    }

    /** SDXL's convolutions of 3x3, as kohya and others name them, and attention to the text. */
    @ParameterizedTest
    @CsvSource({"lora_unet_input_blocks_4_0_in_layers_2,true", "lora_unet_input_blocks_4_0_in_layers_2,false",
        "lora_unet_down_blocks_1_resnets_0_conv1,false", "unet.down_blocks.1.resnets.0.conv1,true"})
    void sdxl(String module, boolean rows) {
        model = Families.open(TestData.reference().resolve("sdxl/tiny"), ModelSources.NONE);
        String name = "down_blocks.1.resnets.0.conv1.weight";
        Tensor down = maker.put(module + ".lora_down.weight", RANK, 16, 3, 3);
        Tensor up = maker.put(module + ".lora_up.weight", 24, RANK, 1, 1);
        double[][] delta = LoraMaker.product(up.reshape(24, RANK), down.reshape(RANK, 16 * 9));
        double[] lengths = rows ? lengths(module + ".dora_scale", 24, 1, 1, 1)
                : lengths(module + ".dora_scale", 1, 16, 1, 1);
        String text = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k";
        double[][] keys = maker.pair(text + ".lora_down.weight", text + ".lora_up.weight", 24, 96, RANK, 1);
        double[] ofKeys = lengths(text + ".dora_scale", 1, 96);
        add(0.7f);
        double[][] w = stored(Component.DENOISER, name);
        assertMatrix(adapted(), Component.DENOISER, name,
                rows ? byRow(w, delta, lengths, 0.7f) : byInput(w, delta, lengths, 9, 0.7f));
        String k = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight";
        assertMatrix(adapted(), Component.DENOISER, k,
                byInput(stored(Component.DENOISER, k), keys, ofKeys, 1, 0.7f));
    }

    @ParameterizedTest
    @CsvSource({"true,1", "true,0.7", "false,1", "false,0.7"})
    void lohaAndLokr(boolean rows, float s) {
        String q = "lycoris_transformer_blocks_2_attn_to_q";
        double[][] loha = LoraMaker.product(maker.put(q + ".hada_w1_a", D, 2), maker.put(q + ".hada_w1_b", 2, D));
        double[][] other = LoraMaker.product(maker.put(q + ".hada_w2_a", D, 2), maker.put(q + ".hada_w2_b", 2, D));
        for (int i = 0; i < D; i++) {
            for (int j = 0; j < D; j++) {
                loha[i][j] *= other[i][j];
            }
        }
        double[] ofLoha = rows ? lengths(q + ".dora_scale", D, 1) : lengths(q + ".dora_scale", 1, D);
        String fused = "lora_unet_joint_blocks_1_x_block_attn_qkv";
        double[][] lokr = LoraMaker.kronecker(LoraMaker.of(maker.put(fused + ".lokr_w1", 32, 16)),
                LoraMaker.product(maker.put(fused + ".lokr_w2_a", 24, 2), maker.put(fused + ".lokr_w2_b", 2, 16)));
        double[] ofLokr = rows ? lengths(fused + ".dora_scale", 3 * D, 1) : lengths(fused + ".dora_scale", 1, D);
        add(s);
        double[][] w = stored(Component.DENOISER, "transformer_blocks.2.attn.to_q.weight");
        assertMatrix(adapted(), Component.DENOISER, "transformer_blocks.2.attn.to_q.weight",
                rows ? byRow(w, loha, ofLoha, s) : byInput(w, loha, ofLoha, 1, s));
        double[][] qkv = new double[3 * D][];
        for (int i = 0; i < 3; i++) {
            System.arraycopy(stored(Component.DENOISER, "transformer_blocks.1.attn.to_" + "qkv".charAt(i) + ".weight"),
                    0, qkv, i * D, D);
        }
        double[][] wanted = rows ? byRow(qkv, lokr, ofLokr, s) : byInput(qkv, lokr, ofLokr, 1, s);
        assertMatrix(adapted(), Component.DENOISER, "transformer_blocks.1.attn.to_k.weight",
                LoraMaker.rows(wanted, D, 2 * D));
    }

    /** The matrix stays as small as it was; only its factors and the pair lie beside it. */
    @ParameterizedTest
    @ValueSource(strings = {"nf4", "q8_0", "fp8"})
    void overQuantisedWeights(String type) {
        String name = "transformer_blocks.0.ff.net.2";
        double[][] delta = maker.pair("transformer." + name + ".lora_A.weight",
                "transformer." + name + ".lora_B.weight", D, INNER, RANK, 1);
        double[] lengths = lengths("transformer." + name + ".lora_magnitude_vector", D);
        add(0.7f);
        ModelFiles quantised = new QuantizingFiles(model,
                QuantizeRules.parse("denoiser=" + type));
        double[][] w;
        try (ModelFiles.Open open = quantised.open(Component.DENOISER)) {
            w = matrix(open.tensors(), name + ".weight");
        }
        ModelFiles files = AdaptedFiles.of(quantised, loras);
        assertMatrix(files, Component.DENOISER, name + ".weight", byRow(w, delta, lengths, 0.7f));
        try (ModelFiles.Open base = quantised.open(Component.DENOISER);
                ModelFiles.Open open = files.open(Component.DENOISER);
                ModelFiles.Open planned = files.inspect(Component.DENOISER)) {
            long before = base.tensors().weight(name + ".weight").byteSize();
            long after = open.tensors().weight(name + ".weight").byteSize();
            assertThat(after - before).isEqualTo(4L * (D + RANK * (D + INNER)));
            assertThat(planned.tensors().weight(name + ".weight").byteSize()).isEqualTo(after);
        }
    }

    @Test
    void textEncoders() {
        String name = "text_model.encoder.layers.0.mlp.fc1";
        String module = "lora_te1_text_model_encoder_layers_0_mlp_fc1";
        double[][] delta = maker.pair(module + ".lora_down.weight", module + ".lora_up.weight", D, 64, RANK, 1);
        double[] lengths = lengths(module + ".dora_scale", 1, 64);
        loras.add(new Lora(maker.write(folder.resolve("a.safetensors")), 9, 0.25f));
        assertMatrix(adapted(), Component.CLIP_L, name + ".weight",
                byInput(stored(Component.CLIP_L, name + ".weight"), delta, lengths, 1, 0.25f));
    }

    private void assertFails(String... parts) {
        loras.clear();
        loras.add(new Lora(maker.write(folder.resolve("a.safetensors")), 1));
        assertThatThrownBy(this::adapted).isInstanceOf(InputException.class).satisfies(e ->
                assertThat(e.getMessage()).contains("a.safetensors").contains(parts).doesNotContain("\n"));
    }

    @Test
    void lengthsThatDoNotFit() {
        String module = "transformer.transformer_blocks.0.ff.net.0.proj";
        maker.put(module + ".dora_scale", 1, 7);
        assertFails(module + ".dora_scale stands alone");
        maker.pair(module + ".lora_A.weight", module + ".lora_B.weight", INNER, D, RANK, 1);
        assertFails(module + ".dora_scale is [1, 7], but DoRA's lengths of a layer with 1024 outputs and 256 inputs are"
                + " [1024, 1] or [1, 256]");
        maker.put(module + ".dora_scale", 2, 128);
        assertFails("is [2, 128], but");
        maker.tensors.remove(module + ".dora_scale");
        maker.put(module + ".lora_magnitude_vector", D);
        assertFails(module + ".lora_magnitude_vector is [256], but", "are [1024, 1]; the file");
        maker.put(module + ".lora_magnitude_vector", INNER).set(0, 5, Float.POSITIVE_INFINITY);
        assertFails(module + ".lora_magnitude_vector holds Infinity");
        maker.put(module + ".lora_magnitude_vector", INNER);
        maker.put(module + ".dora_scale", 1, D);
        assertFails("are the same part of one matrix");
    }

    /** A row that the LoRA takes away has no direction and stays away, whatever its length. */
    @Test
    void aRowOfZeros() {
        String name = "transformer_blocks.0.ff.net.0.proj";
        double[][] w = stored(Component.DENOISER, name + ".weight");
        float[] down = new float[D];
        float[] up = new float[INNER];
        up[3] = 1;
        for (int j = 0; j < D; j++) {
            down[j] = (float) -w[3][j];
        }
        maker.tensors.put("transformer." + name + ".lora_A.weight", Tensor.of(down, 1, D));
        maker.tensors.put("transformer." + name + ".lora_B.weight", Tensor.of(up, INNER, 1));
        lengths("transformer." + name + ".lora_magnitude_vector", INNER);
        add(1);
        try (ModelFiles.Open open = adapted().open(Component.DENOISER)) {
            float[] row = new float[D];
            open.tensors().weight(name + ".weight").read(3, 0, D, row, 0);
            assertThat(row).containsOnly(0);
        }
    }

    @Test
    void settingsThatPromiseLengths() throws IOException {
        Files.writeString(folder.resolve("adapter_config.json"), "{\"use_dora\": true, \"lora_alpha\": 6}");
        String module = "base_model.model.transformer_blocks.0.ff.net.0.proj";
        double[][] delta = maker.pair(module + ".lora_A.weight", module + ".lora_B.weight", INNER, D, RANK, 2);
        Path file = maker.write(folder.resolve("adapter_model.safetensors"));
        loras.add(new Lora(file, 1));
        assertThatThrownBy(this::adapted).isInstanceOf(InputException.class)
                .hasMessageContainingAll("adapter_config.json: says that this is DoRA, but", "has no magnitude");
        double[] lengths = lengths(module + ".lora_magnitude_vector", INNER);
        maker.write(file);
        assertMatrix(adapted(), Component.DENOISER, "transformer_blocks.0.ff.net.0.proj.weight",
                byRow(stored(Component.DENOISER, "transformer_blocks.0.ff.net.0.proj.weight"), delta, lengths, 1));
    }
}
