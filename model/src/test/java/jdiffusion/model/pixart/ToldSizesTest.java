package jdiffusion.model.pixart;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.checkpoint.names.AddedTensor;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.Conditioner;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A network that is told the picture's size, as PixArt-alpha's for 1024 pixels is, against naive loops. */
class ToldSizesTest {
    private static final String EMB = "adaln_single.emb.";
    private static final float[] SIZES = {1152, 896, 1152f / 896};

    @TempDir
    private Path folder;

    /** Random embedders beside the tensors of a network that has none. */
    private static Map<String, Tensor> embedders(int d) {
        Random random = new Random(2);
        Map<String, Tensor> all = new TreeMap<>();
        for (String name : new String[] {"resolution_embedder", "aspect_ratio_embedder"}) {
            put(all, random, EMB + name + ".linear_1", d / 3, DitConfig.SINUSOIDS);
            put(all, random, EMB + name + ".linear_2", d / 3, d / 3);
        }
        return all;
    }

    private static void put(Map<String, Tensor> to, Random random, String name, int out, int in) {
        float[] weight = new float[out * in];
        float[] bias = new float[out];
        for (int i = 0; i < weight.length; i++) {
            weight[i] = (float) random.nextGaussian() / 8;
        }
        for (int i = 0; i < out; i++) {
            bias[i] = (float) random.nextGaussian() / 8;
        }
        to.put(name + ".weight", Tensor.of(weight, out, in));
        to.put(name + ".bias", Tensor.of(bias, out));
    }

    private static double[] linear(Map<String, Tensor> from, String name, double[] x) {
        Tensor weight = from.get(name + ".weight");
        double[] y = new double[weight.rows()];
        for (int i = 0; i < y.length; i++) {
            y[i] = from.get(name + ".bias").toArray()[i];
            for (int j = 0; j < x.length; j++) {
                y[i] += weight.get(i, j) * x[j];
            }
        }
        return y;
    }

    /** Cosines, then sines, through an MLP with SiLU. */
    private static double[] embedded(Map<String, Tensor> from, String name, float value) {
        int half = DitConfig.SINUSOIDS / 2;
        double[] waves = new double[2 * half];
        for (int i = 0; i < half; i++) {
            double angle = value * Math.exp(-Math.log(10_000) * i / half);
            waves[i] = Math.cos(angle);
            waves[half + i] = Math.sin(angle);
        }
        double[] hidden = linear(from, EMB + name + ".linear_1", waves);
        for (int i = 0; i < hidden.length; i++) {
            hidden[i] /= 1 + Math.exp(-hidden[i]);
        }
        return linear(from, EMB + name + ".linear_2", hidden);
    }

    @Test
    void addsTheirEmbeddingsToTheTimes() {
        Path reference = TestData.reference().resolve("pixart/transformer/sigma");
        try (SafetensorsFile file = SafetensorsFile.open(reference.resolve("diffusion_pytorch_model.safetensors"));
                SafetensorsFile io = SafetensorsFile.open(reference.resolve("io.safetensors"));
                CpuBackend backend = new CpuBackend(2, Precision.F32);
                Workspace w = backend.newWorkspace(1 << 25)) {
            int d = file.shape("scale_shift_table").dim(1);
            Map<String, Tensor> more = embedders(d);
            TensorSource tensors = file;
            for (Map.Entry<String, Tensor> entry : more.entrySet()) {
                tensors = new AddedTensor(tensors, entry.getKey(), entry.getValue());
            }
            ObjectNode json = (ObjectNode) TestData.json(reference.resolve("config.json"));
            Dit dit = Dit.load(Weights.of(tensors, Placement.onHost()),
                    ConfigFile.of("told", json.putNull("use_additional_conditions")));
            assertThat(dit.config().sizes()).isTrue();
            float[] times = io.find("timestep").toArray();
            Modulations modulations = new Modulations(dit.modulation(), backend, w, d, times.length, new float[0]);
            modulations.setSizes(w, SIZES);
            modulations.select(times);
            float[] actual = backend.download(modulations.conditioning());
            float[] time = io.find("conditioning").toArray();
            double[][] parts = {embedded(more, "resolution_embedder", SIZES[0]),
                embedded(more, "resolution_embedder", SIZES[1]), embedded(more, "aspect_ratio_embedder", SIZES[2])};
            for (int i = 0; i < actual.length; i++) {
                double expected = time[i] + parts[i % d / (d / 3)][i % (d / 3)];
                assertThat((double) actual[i]).as("channel %d", i).isCloseTo(expected,
                        Offset.offset(2e-4));
            }
        }
    }

    /** The whole way: told by its tensors, named, with another picture for another size that is drawn. */
    @Test
    void drawsAsPixartAlpha() throws IOException {
        Path model = TestData.copy(TestData.reference().resolve("pixart/model"), folder.resolve("alpha"));
        TestData.rewrite(model.resolve("transformer/diffusion_pytorch_model.safetensors"),
                tensors -> tensors.putAll(embedders(72)));
        Path config = model.resolve("transformer/config.json");
        ObjectNode json = (ObjectNode) TestData.json(config);
        Files.writeString(config, json.put("use_additional_conditions", true).toString());
        Path index = model.resolve("model_index.json");
        Files.writeString(index, ((ObjectNode) TestData.json(index)).put("_class_name", "PixArtAlphaPipeline")
                .toString());
        ModelFiles files = Families.open(model, ModelSources.NONE);
        try (CpuBackend backend = new CpuBackend(2, Precision.F32); Pipeline pipeline = Pipeline.open(files, backend);
                Pipeline plain = Pipeline.open(Families.open(TestData.reference().resolve("pixart/model"),
                        ModelSources.NONE), backend)) {
            assertThat(pipeline.variant().name()).isEqualTo("pixart-alpha");
            assertThat(pipeline.request("").t5Length()).isEqualTo(120);
            GenerationRequest request = pipeline.request("a red circle").toBuilder().size(64, 48).steps(1)
                    .resolutionBinning(false).t5Length(20).build();
            assertThat(pipeline.plan(request).peak()).isPositive();
            byte[] drawn = pipeline.generate(request, Progress.NONE).getFirst().rgb();
            assertThat(drawn).isNotEqualTo(plain.generate(request, Progress.NONE).getFirst().rgb());
            assertThat(pipeline.conditioner().encode(request, false, new Conditioner.Listener() {
            }).getFirst().get(PixartConditioner.SIZES).toArray()).containsExactly(48, 64, 0.75f);
            assertThat(files.has(Component.T5)).isTrue();
        }
    }
}
