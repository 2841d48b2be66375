package jdiffusion.model.sd3;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.Compute;
import jdiffusion.model.TestData;
import jdiffusion.model.adapter.ControlledFiles;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.names.RenamedSource;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * ControlNets of both kinds against reference/control/io.safetensors: the first kind was computed by Stability's SD3.5
 * code in float32, the second by the blocks of that code put together as diffusers' {@code SD3ControlNetModel} and
 * {@code SD3Transformer2DModel} do; their weights are {@link MadeWeights} of the names with "d.", "c." and "j." before.
 */
class ControlNetTest {
    private static final int D = 256;
    private static final int CONTEXT = 32;
    private static final int POOLED = 24;
    private static final long MEMORY = 64L << 20;
    private static final Path REFERENCE = TestData.pipelines().resolve("../control/io.safetensors").normalize();

    private final CpuBackend backend = new CpuBackend(2, Precision.F32);
    private final Map<String, Tensor> denoiser = new TreeMap<>();
    private final Map<String, Tensor> control = new TreeMap<>();

    /** Tensors of a map. */
    private record Source(Map<String, Tensor> tensors) implements TensorSource {
        @Override
        public String origin() {
            return "made";
        }

        @Override
        public Set<String> names() {
            return tensors.keySet();
        }

        @Override
        public Tensor find(String name) {
            return tensors.get(name);
        }
    }

    @AfterEach
    void close() {
        backend.close();
    }

    private void matrix(Map<String, Tensor> to, String owner, String name, int rows, int... rest) {
        int[] dims = new int[rest.length + 1];
        dims[0] = rows;
        System.arraycopy(rest, 0, dims, 1, rest.length);
        to.put(name + ".weight", MadeWeights.of(owner + name + ".weight", dims));
        to.put(name + ".bias", MadeWeights.of(owner + name + ".bias", rows));
    }

    private void makeDenoiser() {
        matrix(denoiser, "d.", "x_embedder.proj", D, 16, 2, 2);
        denoiser.put("pos_embed", MadeWeights.of("d.pos_embed", 1, 64, D));
        matrix(denoiser, "d.", "context_embedder", D, CONTEXT);
        matrix(denoiser, "d.", "t_embedder.mlp.0", D, 256);
        matrix(denoiser, "d.", "t_embedder.mlp.2", D, D);
        matrix(denoiser, "d.", "y_embedder.mlp.0", D, POOLED);
        matrix(denoiser, "d.", "y_embedder.mlp.2", D, D);
        matrix(denoiser, "d.", "final_layer.adaLN_modulation.1", 2 * D, D);
        matrix(denoiser, "d.", "final_layer.linear", 64, D);
        for (int i = 0; i < 4; i++) {
            for (String side : List.of("x_block", "context_block")) {
                boolean text = side.startsWith("context");
                String block = "joint_blocks." + i + "." + side + ".";
                int parts = text && i == 3 ? 2 : !text && i == 1 ? 9 : 6;
                matrix(denoiser, "d.", block + "adaLN_modulation.1", parts * D, D);
                for (String attention : !text && i == 1 ? List.of("attn.", "attn2.") : List.of("attn.")) {
                    matrix(denoiser, "d.", block + attention + "qkv", 3 * D, D);
                    for (String norm : List.of("ln_q.weight", "ln_k.weight")) {
                        denoiser.put(block + attention + norm, MadeWeights.of("d." + block + attention + norm, 64));
                    }
                    if (!text || i < 3) {
                        matrix(denoiser, "d.", block + attention + "proj", D, D);
                    }
                }
                if (!text || i < 3) {
                    matrix(denoiser, "d.", block + "mlp.fc1", 4 * D, D);
                    matrix(denoiser, "d.", block + "mlp.fc2", D, 4 * D);
                }
            }
        }
    }

    private void makeEmbeddings(String owner, int depth) {
        matrix(control, owner, "pos_embed_input.proj", D, 16, 2, 2);
        matrix(control, owner, "time_text_embed.timestep_embedder.linear_1", D, 256);
        matrix(control, owner, "time_text_embed.timestep_embedder.linear_2", D, D);
        matrix(control, owner, "time_text_embed.text_embedder.linear_1", D, POOLED);
        matrix(control, owner, "time_text_embed.text_embedder.linear_2", D, D);
        for (int i = 0; i < depth; i++) {
            matrix(control, owner, "controlnet_blocks." + i, D, D);
        }
    }

    private void makeImageKind() {
        makeEmbeddings("c.", 2);
        for (int i = 0; i < 2; i++) {
            String block = "transformer_blocks." + i + ".";
            matrix(control, "c.", block + "adaLN_modulation.1", 6 * D, D);
            matrix(control, "c.", block + "attn.qkv", 3 * D, D);
            matrix(control, "c.", block + "attn.proj", D, D);
            matrix(control, "c.", block + "mlp.fc1", 4 * D, D);
            matrix(control, "c.", block + "mlp.fc2", D, 4 * D);
        }
    }

    private void makeJointKind() {
        makeEmbeddings("j.", 3);
        matrix(control, "j.", "pos_embed.proj", D, 16, 2, 2);
        control.put("pos_embed.pos_embed", MadeWeights.of("j.pos_embed.pos_embed", 1, 36, D));
        matrix(control, "j.", "context_embedder", D, CONTEXT);
        for (int i = 0; i < 3; i++) {
            String block = "transformer_blocks." + i + ".";
            matrix(control, "j.", block + "norm1.linear", (i == 1 ? 9 : 6) * D, D);
            matrix(control, "j.", block + "norm1_context.linear", 6 * D, D);
            List<String> square = i == 1 ? List.of("attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0",
                    "attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out", "attn2.to_q",
                    "attn2.to_k", "attn2.to_v", "attn2.to_out.0") : List.of("attn.to_q", "attn.to_k", "attn.to_v",
                    "attn.to_out.0", "attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out");
            square.forEach(name -> matrix(control, "j.", block + name, D, D));
            for (String norm : i == 1 ? List.of("attn.norm_q", "attn.norm_k", "attn.norm_added_q",
                    "attn.norm_added_k", "attn2.norm_q", "attn2.norm_k") : List.of("attn.norm_q", "attn.norm_k",
                    "attn.norm_added_q", "attn.norm_added_k")) {
                control.put(block + norm + ".weight", MadeWeights.of("j." + block + norm + ".weight", 64));
            }
            for (String side : List.of("ff", "ff_context")) {
                matrix(control, "j.", block + side + ".net.0.proj", 4 * D, D);
                matrix(control, "j.", block + side + ".net.2", D, 4 * D);
            }
        }
    }

    private Sd3Denoiser load(ConfigFile config) {
        Map<String, Tensor> all = new TreeMap<>();
        TensorSource base = RenamedSource.of(new Source(denoiser), "",
                new StabilityNames().fromOriginal(denoiser.keySet()));
        TensorSource net = RenamedSource.of(new Source(control), "",
                ControlNetNames.NAMES.fromOriginal(control.keySet()));
        for (String name : base.names()) {
            Tensor tensor = base.find(name);
            all.put(name, tensor != null ? tensor : swapped(base, name));
        }
        net.names().forEach(name -> all.put(ControlledFiles.CONTROL + "." + name, net.find(name)));
        return Sd3Denoiser.load(Weights.of(new Source(all), Placement.onHost()),
                ConfigFile.empty("config").with(ControlledFiles.CONTROL, config));
    }

    private static Tensor swapped(TensorSource source, String name) {
        var weight = source.weight(name);
        float[] values = new float[weight.rows() * weight.cols()];
        for (int r = 0; r < weight.rows(); r++) {
            weight.read(r, 0, weight.cols(), values, r * weight.cols());
        }
        return Tensor.of(values, weight.rows(), weight.cols());
    }

    private float[] velocity(Sd3Denoiser model, float strength) {
        try (Workspace w = backend.newWorkspace(MEMORY)) {
            MmditRun run = new MmditRun(model, new Compute(backend, w), 2, 8, 12, 5,
                    new float[] {900, 812.5f, 100});
            run.setText(input(w, "context", 2, 5, CONTEXT), input(w, "pooled", 2, POOLED));
            Tensor condition = w.f32(2, 16, 8, 12);
            float[] one = TestData.floats(REFERENCE, "condition");
            backend.upload(one, condition.slice(0, 1));
            backend.upload(one, condition.slice(1, 2));
            run.setControl(condition);
            run.setControlStrength(strength);
            Tensor velocity = w.f32(2, 16, 8, 12);
            run.velocity(input(w, "latents", 2, 16, 8, 12), 812.5f, List.of(), velocity);
            return backend.download(velocity);
        }
    }

    private Tensor input(Workspace w, String name, int... dims) {
        Tensor tensor = w.f32(dims);
        backend.upload(TestData.floats(REFERENCE, name), tensor);
        return tensor;
    }

    private static void assertClose(float[] got, String name) {
        float[] wanted = TestData.floats(REFERENCE, name);
        double error = 0;
        double size = 0;
        for (int i = 0; i < wanted.length; i++) {
            error += Math.pow(got[i] - wanted[i], 2);
            size += wanted[i] * (double) wanted[i];
        }
        assertThat(Math.sqrt(error / size)).as(name).isLessThan(1e-5);
    }

    @Test
    void theImagesBlocksAlone() {
        makeDenoiser();
        makeImageKind();
        control.put("control_type", Tensor.of(new float[] {2}, 1));
        Sd3Denoiser model = load(ConfigFile.empty("control"));
        assertThat(model.control().joint()).isFalse();
        assertClose(velocity(model, 0), "plain");
        assertClose(velocity(model, 1), "single.output");
        assertClose(velocity(model, 0.6f), "single.output.0.6");
    }

    @Test
    void imageAndText(@TempDir Path folder) throws IOException {
        makeDenoiser();
        makeJointKind();
        Sd3Denoiser zeros = load(ConfigFile.empty("control"));
        assertThat(zeros.control().joint()).isTrue();
        assertClose(velocity(zeros, 0), "plain");
        assertClose(velocity(zeros, 1), "joint.output.zero_pooled");
        Path config = Files.writeString(folder.resolve("config.json"),
                "{\"force_zeros_for_pooled_projection\": false}");
        assertClose(velocity(load(ConfigFile.read(config)), 1), "joint.output");
    }

    @Test
    void residualsAreSpreadOverTheBlocks() {
        MmditConfig c = new MmditConfig(64, 1, 64, 19, List.of(), false, 2, 16, 16, 1, 1, 1);
        ControlNetConfig image = new ControlNetConfig(c, false, false);
        assertThat(image.residual(0, 38)).isZero();
        assertThat(image.residual(1, 38)).isZero();
        assertThat(image.residual(37, 38)).isEqualTo(18);
        assertThat(image.residual(23, 24)).isEqualTo(18);
        ControlNetConfig joint = new ControlNetConfig(c, true, true);
        assertThat(joint.residual(22, 24)).isEqualTo(17);
        assertThat(joint.residual(23, 24)).isEqualTo(-1);
    }

    @Test
    void whatDoesNotFitIsOneLine() {
        makeDenoiser();
        makeImageKind();
        control.put("pos_embed_input.proj.weight", Tensor.of(new float[D * 17 * 4], D, 17, 2, 2));
        assertThatThrownBy(() -> load(ConfigFile.empty("control"))).isInstanceOf(InputException.class)
                .hasMessageContaining("control: ").hasMessageContaining("[256, 17, 2, 2]")
                .hasMessageContaining("inpainting");
        matrix(control, "c.", "pos_embed_input.proj", 128, 16, 2, 2);
        assertThatThrownBy(() -> load(ConfigFile.empty("control"))).isInstanceOf(InputException.class)
                .hasMessageContaining("is it for another model?");
        matrix(control, "c.", "pos_embed_input.proj", D, 16, 2, 2);
        control.remove("controlnet_blocks.1.weight");
        assertThatThrownBy(() -> load(ConfigFile.empty("control"))).isInstanceOf(InputException.class)
                .hasMessageContaining("missing control_net.controlnet_blocks.1.weight");
    }
}
