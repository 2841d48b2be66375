package jdiffusion.model.vae;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.Compute;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A small TAESD of random numbers, of two resolutions and widths that differ, in both layouts. */
class TaesdTest {
    private static final int CHANNELS = 5;
    private static final int COARSE = 7;
    private static final int FINE = 6;
    private static final int HEIGHT = 3;
    private static final int WIDTH = 4;

    @TempDir
    private Path folder;
    /** Of diffusers' names. */
    private final Map<String, Tensor> tensors = new TreeMap<>();
    private Path diffusers;
    private Path sequence;

    @BeforeEach
    void make() throws IOException {
        conv("encoder.layers.0", FINE, 3, true);
        block("encoder.layers.1", FINE);
        conv("encoder.layers.2", COARSE, FINE, false);
        block("encoder.layers.3", COARSE);
        block("encoder.layers.4", COARSE);
        conv("encoder.layers.5", CHANNELS, COARSE, true);
        conv("decoder.layers.0", COARSE, CHANNELS, true);
        block("decoder.layers.2", COARSE);
        conv("decoder.layers.4", FINE, COARSE, false);
        block("decoder.layers.5", FINE);
        conv("decoder.layers.6", 3, FINE, true);
        diffusers = Files.createDirectory(folder.resolve("diffusers"));
        sequence = Files.createDirectory(folder.resolve("sequence"));
        write(tensors);
    }

    private void write(Map<String, Tensor> all) throws IOException {
        SafetensorsWriter.write(diffusers.resolve("diffusion_pytorch_model.safetensors"), all, Map.of());
        Files.writeString(diffusers.resolve("config.json"), "{\"_class_name\": \"AutoencoderTiny\","
                + " \"latent_channels\": 5, \"num_encoder_blocks\": [1, 2], \"num_decoder_blocks\": [1, 1],"
                + " \"act_fn\": \"relu\"}");
        for (String half : new String[] {"encoder", "decoder"}) {
            Map<String, Tensor> own = new TreeMap<>();
            String prefix = half + ".layers.";
            int clamp = half.equals("decoder") ? 1 : 0;
            all.forEach((name, tensor) -> {
                if (name.startsWith(prefix)) {
                    String[] parts = name.substring(prefix.length()).split("\\.", 2);
                    own.put(Integer.parseInt(parts[0]) + clamp + "." + parts[1], tensor);
                }
            });
            SafetensorsWriter.write(sequence.resolve("taesd_" + half + ".safetensors"), own, Map.of());
        }
    }

    private void block(String name, int width) {
        for (int i = 0; i < 5; i += 2) {
            conv(name + ".conv." + i, width, width, true);
        }
    }

    private void conv(String name, int out, int in, boolean bias) {
        tensors.put(name + ".weight", random(name, out, in, 3, 3));
        if (bias) {
            tensors.put(name + ".bias", random(name + "b", out));
        }
    }

    private static Tensor random(String seed, int... dims) {
        Random random = new Random(seed.hashCode());
        float[] values = new float[Math.toIntExact(Shape.of(dims).size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian() / 8;
        }
        return Tensor.of(values, dims);
    }

    /** Channels of an image, [height][width] each. */
    private double[][][] convolve(String name, double[][][] x, int stride) {
        Tensor weight = tensors.get(name + ".weight");
        Tensor bias = tensors.get(name + ".bias");
        float[] w = weight.toArray();
        int in = x.length;
        double[][][] out = new double[weight.shape().dim(0)][x[0].length / stride][x[0][0].length / stride];
        for (int o = 0; o < out.length; o++) {
            for (int i = 0; i < out[o].length; i++) {
                for (int j = 0; j < out[o][i].length; j++) {
                    double sum = bias == null ? 0 : bias.toArray()[o];
                    for (int k = 0; k < in * 9; k++) {
                        int row = i * stride + k % 9 / 3 - 1;
                        int column = j * stride + k % 3 - 1;
                        boolean inside = row >= 0 && row < x[0].length && column >= 0 && column < x[0][0].length;
                        sum += inside ? w[o * in * 9 + k] * x[k / 9][row][column] : 0;
                    }
                    out[o][i][j] = sum;
                }
            }
        }
        return out;
    }

    private double[][][] blocked(String name, double[][][] x) {
        double[][][] y = relu(convolve(name + ".conv.0", x, 1));
        y = convolve(name + ".conv.4", relu(convolve(name + ".conv.2", y, 1)), 1);
        for (int c = 0; c < x.length; c++) {
            for (int i = 0; i < x[c].length; i++) {
                for (int j = 0; j < x[c][i].length; j++) {
                    y[c][i][j] += x[c][i][j];
                }
            }
        }
        return relu(y);
    }

    private static double[][][] relu(double[][][] x) {
        for (double[][] channel : x) {
            for (double[] row : channel) {
                for (int i = 0; i < row.length; i++) {
                    row[i] = Math.max(0, row[i]);
                }
            }
        }
        return x;
    }

    private static double[][][] doubled(double[][][] x) {
        double[][][] out = new double[x.length][2 * x[0].length][2 * x[0][0].length];
        for (int c = 0; c < out.length; c++) {
            for (int i = 0; i < out[c].length; i++) {
                for (int j = 0; j < out[c][i].length; j++) {
                    out[c][i][j] = x[c][i / 2][j / 2];
                }
            }
        }
        return out;
    }

    private double[][][] decoded(double[][][] latents) {
        for (double[][] channel : latents) {
            for (double[] row : channel) {
                for (int i = 0; i < row.length; i++) {
                    row[i] = 3 * Math.tanh(row[i] / 3);
                }
            }
        }
        double[][][] x = blocked("decoder.layers.2", relu(convolve("decoder.layers.0", latents, 1)));
        x = convolve("decoder.layers.6", blocked("decoder.layers.5", convolve("decoder.layers.4", doubled(x), 1)), 1);
        return x;
    }

    private double[][][] encoded(double[][][] image) {
        double[][][] x = blocked("encoder.layers.1", convolve("encoder.layers.0", image, 1));
        x = convolve("encoder.layers.2", x, 2);
        return convolve("encoder.layers.5", blocked("encoder.layers.4", blocked("encoder.layers.3", x)), 1);
    }

    private static double[][][] image(float[] values, int from, int channels, int height, int width) {
        double[][][] out = new double[channels][height][width];
        for (int i = 0; i < channels * height * width; i++) {
            out[i / (height * width)][i / width % height][i % width] = values[from + i];
        }
        return out;
    }

    private static float[] run(Path path, Tensor input, boolean encodes) {
        try (CpuBackend backend = new CpuBackend(2, Precision.F32); ModelFiles.Open open = TaesdFile.of(path).open();
                Workspace workspace = backend.newWorkspace(1 << 20)) {
            Taesd taesd = Taesd.load(Weights.of(open.tensors(), Placement.onHost()), open.config());
            Compute compute = new Compute(backend, workspace);
            return backend.download(encodes ? taesd.encode(compute, input) : taesd.decode(compute, input));
        }
    }

    @Test
    void decodesAsTheLoopsDo() {
        Tensor latents = random("latents", 2, CHANNELS, HEIGHT, WIDTH);
        float[] values = latents.toArray();
        for (int i = 0; i < values.length; i++) {
            values[i] *= 24;
        }
        float[] actual = run(diffusers, Tensor.of(values, 2, CHANNELS, HEIGHT, WIDTH), false);
        int size = 3 * 4 * HEIGHT * WIDTH;
        for (int b = 0; b < 2; b++) {
            double[][][] expected = decoded(image(values, b * CHANNELS * HEIGHT * WIDTH, CHANNELS, HEIGHT, WIDTH));
            for (int i = 0; i < size; i++) {
                double want = 2 * expected[i / (size / 3)][i / (2 * WIDTH) % (2 * HEIGHT)][i % (2 * WIDTH)] - 1;
                assertThat((double) actual[b * size + i]).isCloseTo(want, within(1e-5 * Math.max(1, Math.abs(want))));
            }
        }
        assertThat(run(sequence, Tensor.of(values, 2, CHANNELS, HEIGHT, WIDTH), false)).isEqualTo(actual);
    }

    @Test
    void encodesAsTheLoopsDo() {
        Tensor image = random("image", 1, 3, 2 * HEIGHT, 2 * WIDTH);
        float[] actual = run(sequence.resolve("taesd_encoder.safetensors"), image, true);
        float[] values = image.toArray();
        for (int i = 0; i < values.length; i++) {
            values[i] = (values[i] + 1) / 2;
        }
        double[][][] expected = encoded(image(values, 0, 3, 2 * HEIGHT, 2 * WIDTH));
        for (int i = 0; i < actual.length; i++) {
            double want = expected[i / (HEIGHT * WIDTH)][i / WIDTH % HEIGHT][i % WIDTH];
            assertThat((double) actual[i]).isCloseTo(want, within(1e-5 * Math.max(1, Math.abs(want))));
        }
        assertThat(run(diffusers, image, true)).isEqualTo(actual);
    }

    @Test
    void theDecoderAloneIsEnough() throws IOException {
        Files.delete(sequence.resolve("taesd_encoder.safetensors"));
        TaesdFile file = TaesdFile.of(sequence);
        file.checkFit(CHANNELS, 2);
        assertThatThrownBy(() -> file.checkFit(16, 8)).isInstanceOf(InputException.class)
                .hasMessageContainingAll("5 channels", "16", "family");
    }

    @Test
    void allThatIsMissingIsNamed() throws IOException {
        tensors.remove("decoder.layers.5.conv.0.bias");
        tensors.remove("encoder.layers.3.conv.0.weight");
        tensors.put("decoder.layers.9.weight", random("left over", 3));
        write(tensors);
        for (Path path : new Path[] {diffusers, sequence}) {
            TaesdFile file = TaesdFile.of(path);
            assertThatThrownBy(() -> file.checkFit(CHANNELS, 2)).isInstanceOf(InputException.class)
                    .hasMessageContainingAll("3 tensor(s)", "decoder.layers.5.conv.0.bias",
                            "encoder.layers.3.conv.0.weight", "unknown");
        }
    }

    @Test
    void aConfigurationOfAnotherIsRefused() throws IOException {
        Files.writeString(diffusers.resolve("config.json"),
                "{\"_class_name\": \"AutoencoderTiny\", \"latent_channels\": 4, \"num_decoder_blocks\": [1, 1]}");
        TaesdFile file = TaesdFile.of(diffusers);
        assertThatThrownBy(() -> file.checkFit(CHANNELS, 2)).isInstanceOf(InputException.class)
                .hasMessageContaining("latent_channels is 4, the tensors say 5");
    }

    @Test
    void whatIsNoTaesdIsRefused() throws IOException {
        refused(folder.resolve("none"), "there is no such file or folder");
        refused(folder, "no TAESD is in it");
        refused(TestData.defaultModel().resolve("vae"), "a full autoencoder");
        refused(TestData.defaultModel().resolve("transformer/diffusion_pytorch_model.safetensors"), "is no TAESD");
        Files.delete(sequence.resolve("taesd_decoder.safetensors"));
        refused(sequence.resolve("taesd_encoder.safetensors"), "the encoder of a TAESD alone");
    }

    private static void refused(Path path, String why) {
        assertThatThrownBy(() -> TaesdFile.of(path)).isInstanceOf(InputException.class)
                .hasMessageStartingWith(path.toString()).hasMessageContaining(why).hasMessageNotContaining("\n");
    }
}
