package jdiffusion.model.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.families.Families;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** LyCORIS' forms for convolutions, with a core between the factors, and differences of weights, biases and norms. */
class LoraOfConvolutionsTest {
    private static final int CHANNELS = 16;
    private static final int KERNEL = 3;
    private static final int AREA = KERNEL * KERNEL;
    private static final int RANK = 2;
    private static final String RESNET = "down_blocks.0.resnets.1.";
    private static final String CONV = RESNET + "conv1";
    private static final float WEIGHT = 0.5f;

    private final LoraMaker maker = new LoraMaker();
    @TempDir
    private Path folder;

    private static ModelFiles model() {
        return Families.open(TestData.reference().resolve("sdxl/tiny"), ModelSources.NONE);
    }

    private ModelFiles adapted() {
        return AdaptedFiles.of(model(), List.of(new Lora(maker.write(folder.resolve("a.safetensors")), WEIGHT)));
    }

    /** What the file adds to a tensor of the denoiser. */
    private float[] added(String name) {
        try (ModelFiles.Open before = model().open(Component.DENOISER);
                ModelFiles.Open after = adapted().open(Component.DENOISER)) {
            float[] values = after.tensors().find(name).toArray();
            float[] plain = before.tensors().find(name).toArray();
            for (int i = 0; i < values.length; i++) {
                values[i] -= plain[i];
            }
            return values;
        }
    }

    private void assertAdded(String name, float[] whole) {
        float[] added = added(name);
        assertThat(added).hasSameSizeAs(whole);
        for (int i = 0; i < whole.length; i++) {
            assertThat(added[i]).isCloseTo(WEIGHT * whole[i], Offset.offset(1e-5f));
        }
    }

    /** out[o, i, k] = sum over p and r of left[o, p] core[p, r, k] right[r, i] */
    private static float[] product(double[][] left, Tensor core, Tensor right) {
        int inputs = right.shape().dim(1);
        float[] cores = core.toArray();
        float[] rights = right.toArray();
        float[] out = new float[left.length * inputs * AREA];
        for (int o = 0; o < left.length; o++) {
            for (int i = 0; i < inputs; i++) {
                for (int k = 0; k < AREA; k++) {
                    double sum = 0;
                    for (int p = 0; p < RANK; p++) {
                        for (int r = 0; r < RANK; r++) {
                            sum += left[o][p] * cores[(p * RANK + r) * AREA + k] * rights[r * inputs + i];
                        }
                    }
                    out[(o * inputs + i) * AREA + k] = (float) sum;
                }
            }
        }
        return out;
    }

    private static double[][] transposed(Tensor tensor) {
        double[][] out = new double[tensor.cols()][tensor.rows()];
        for (int i = 0; i < tensor.rows(); i++) {
            for (int j = 0; j < tensor.cols(); j++) {
                out[j][i] = tensor.get(i, j);
            }
        }
        return out;
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora_unet_input_blocks_2_0_in_layers_2", "lora_unet_down_blocks_0_resnets_1_conv1",
        "unet." + CONV})
    void loraWithACore(String module) {
        Tensor up = maker.put(module + ".lora_up.weight", CHANNELS, RANK, 1, 1);
        Tensor core = maker.put(module + ".lora_mid.weight", RANK, RANK, KERNEL, KERNEL);
        Tensor down = maker.put(module + ".lora_down.weight", RANK, CHANNELS, 1, 1);
        maker.alpha(module + ".alpha", RANK);
        assertAdded(CONV + ".weight", product(LoraMaker.of(up.reshape(CHANNELS, RANK)), core, down));
    }

    @Test
    void hadamardWithCores() {
        String module = "lora_unet_input_blocks_2_0_in_layers_2";
        float[] whole = null;
        for (int i = 1; i <= 2; i++) {
            Tensor a = maker.put(module + ".hada_w" + i + "_a", RANK, CHANNELS);
            Tensor b = maker.put(module + ".hada_w" + i + "_b", RANK, CHANNELS);
            float[] one = product(transposed(a), maker.put(module + ".hada_t" + i, RANK, RANK, KERNEL, KERNEL), b);
            for (int j = 0; j < one.length; j++) {
                one[j] *= whole == null ? 1 : whole[j];
            }
            whole = one;
        }
        assertAdded(CONV + ".weight", whole);
    }

    @Test
    void kroneckerWithACore() {
        String module = "lora_unet_input_blocks_2_0_in_layers_2";
        Tensor w1 = maker.put(module + ".lokr_w1", 2, 2);
        Tensor a = maker.put(module + ".lokr_w2_a", RANK, CHANNELS / 2);
        Tensor b = maker.put(module + ".lokr_w2_b", RANK, CHANNELS / 2);
        float[] inner = product(transposed(a), maker.put(module + ".lokr_t2", RANK, RANK, KERNEL, KERNEL), b);
        int half = CHANNELS / 2;
        float[] whole = new float[CHANNELS * CHANNELS * AREA];
        for (int o = 0; o < CHANNELS; o++) {
            for (int i = 0; i < CHANNELS; i++) {
                for (int k = 0; k < AREA; k++) {
                    whole[(o * CHANNELS + i) * AREA + k] = w1.get(o / half, i / half)
                            * inner[(o % half * half + i % half) * AREA + k];
                }
            }
        }
        assertAdded(CONV + ".weight", whole);
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora_unet_input_blocks_2_0_", "diffusion_model.input_blocks.2.0."})
    void differences(String block) {
        String dot = block.endsWith(".") ? "." : "_";
        Tensor conv = maker.put(block + "in_layers" + dot + "2.diff", CHANNELS, CHANNELS, KERNEL, KERNEL);
        Tensor bias = maker.put(block + "in_layers" + dot + "2.diff_b", CHANNELS);
        Tensor norm = maker.put(block + "in_layers" + dot + "0.w_norm", CHANNELS);
        Tensor shift = maker.put(block + "in_layers" + dot + "0.b_norm", CHANNELS);
        Tensor second = maker.put(block + "out_layers" + dot + "0.diff", CHANNELS);
        Tensor alone = maker.put(block + "out_layers" + dot + "3.diff_b", CHANNELS);
        assertAdded(CONV + ".weight", conv.toArray());
        assertAdded(CONV + ".bias", bias.toArray());
        assertAdded(RESNET + "norm1.weight", norm.toArray());
        assertAdded(RESNET + "norm1.bias", shift.toArray());
        assertAdded(RESNET + "norm2.weight", second.toArray());
        assertAdded(RESNET + "conv2.bias", alone.toArray());
    }


    @Test
    void whatDoesNotFit() {
        maker.put("lora_unet_input_blocks_2_0_in_layers_0.w_norm", CHANNELS + 1);
        assertThatThrownBy(this::adapted).isInstanceOf(InputException.class)
                .hasMessageContaining("is of 17 values, but " + RESNET + "norm1.weight");
        maker.tensors.clear();
        maker.put("lora_unet_input_blocks_2_0_nothing.w_norm", CHANNELS);
        assertThatThrownBy(this::adapted).hasMessageContaining("match nothing");
        maker.tensors.clear();
        maker.put("unet." + CONV + ".lora_up.weight", CHANNELS, RANK, 1, 1);
        maker.put("unet." + CONV + ".lora_down.weight", RANK, CHANNELS, 1, 1);
        maker.put("unet." + CONV + ".lora_mid.weight", RANK, RANK + 1, KERNEL, KERNEL);
        assertThatThrownBy(this::adapted).hasMessageContaining("do not belong together");
    }
}
