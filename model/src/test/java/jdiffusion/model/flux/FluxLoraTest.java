package jdiffusion.model.flux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.Compute;
import jdiffusion.model.TestData;
import jdiffusion.model.adapter.AdaptedFiles;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.families.Families;
import jdiffusion.model.text.ClipTextEncoder;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** LoRAs of FLUX under the names of all programs that write them, on models of several layouts. */
class FluxLoraTest {
    private static final CpuBackend BACKEND = new CpuBackend();
    private static final double TOLERANCE = 1e-4;

    @TempDir
    private Path folder;

    @AfterAll
    static void close() {
        BACKEND.close();
    }

    private static Path reference() {
        return TestData.reference().resolve("flux");
    }

    private static Path lora(String name) {
        return reference().resolve("lora").resolve(name + ".safetensors");
    }

    private static ModelFiles model(String path) {
        return Families.open(reference().resolve(path), ModelSources.NONE);
    }

    @TestFactory
    Stream<DynamicTest> allWriters() {
        return Stream.of("diffusers", "diffusers-metadata", "kohya", "kohya-split", "comfy", "xlabs", "bfl",
                "onetrainer").flatMap(name -> Stream.of("dev", "layouts/single/flux1-dev.safetensors")
                .map(model -> DynamicTest.dynamicTest(name + " on " + model, () -> {
                    try (SafetensorsFile expected = SafetensorsFile.open(lora("expected"))) {
                        float scale = expected.find("scale").reshape(1, 1).get(0, 0);
                        ModelFiles plain = model(model);
                        ModelFiles files = AdaptedFiles.of(plain, List.of(new Lora(lora(name), scale)));
                        assertThat(files.notes()).isEqualTo(plain.notes());
                        assertClose(velocity(files, expected), expected, name + ".output");
                    }
                })));
    }

    @Test
    void withoutWeightTheModelIsAsItWas() {
        try (SafetensorsFile expected = SafetensorsFile.open(lora("expected"))) {
            float[] plain = velocity(model("dev"), expected);
            assertClose(plain, expected, "base.output");
            assertThat(velocity(AdaptedFiles.of(model("dev"), List.of(new Lora(lora("bfl"), 0))), expected))
                    .isEqualTo(plain);
        }
    }

    @Test
    void kohyaAdaptsClipToo() {
        try (SafetensorsFile expected = SafetensorsFile.open(lora("expected"))) {
            float scale = expected.find("scale").reshape(1, 1).get(0, 0);
            assertClose(pooled(model("dev"), expected), expected, "base.clip_pooled");
            assertClose(pooled(AdaptedFiles.of(model("dev"), List.of(new Lora(lora("kohya"), scale))), expected),
                    expected, "kohya.clip_pooled");
        }
    }

    /** [schnell] embeds no guidance. */
    @ParameterizedTest
    @ValueSource(strings = {"transformer.time_text_embed.guidance_embedder.linear_1", "lora_unet_guidance_in_in_layer",
        "diffusion_model.guidance_in.in_layer"})
    void ofDevOnSchnell(String name) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put(name + ".lora_down.weight", Tensor.of(new float[2 * 256], 2, 256));
        tensors.put(name + ".lora_up.weight", Tensor.of(new float[64 * 2], 64, 2));
        Path file = folder.resolve("lora.safetensors");
        SafetensorsWriter.write(file, tensors, Map.of());
        List<Lora> loras = List.of(new Lora(file, 1));
        assertThat(AdaptedFiles.of(model("dev"), loras).notes()).isEqualTo(model("dev").notes());
        assertThat(AdaptedFiles.of(model("schnell"), loras).notes()).contains(file + ": 2 of its 2 tensors are for the"
                + " embedding of guidance, which FLUX.1 [dev] has and this model has not");
        refused(Map.of(name.replace("guidance", "other") + ".lora_down.weight", Tensor.of(new float[512], 2, 256)),
                "match nothing");
    }

    /** Biases and norms of a Black Forest Labs' file that do not fit are told by name. */
    @Test
    void misfitsAreNamed() {
        String norm = "double_blocks.0.img_attn.norm.key_norm.scale";
        refused(Map.of(norm, Tensor.of(new float[16], 16)), norm + " is F32[16]", "attn.norm_k.weight", "[32]");
        float[] damaged = new float[32];
        damaged[3] = Float.NaN;
        refused(Map.of(norm, Tensor.of(damaged, 32)), norm + " holds NaN");
        String layer = "single_blocks.0.linear1.";
        Map<String, Tensor> bias = new LinkedHashMap<>();
        bias.put(layer + "lora_A.weight", Tensor.of(new float[2 * 64], 2, 64));
        bias.put(layer + "lora_B.weight", Tensor.of(new float[448 * 2], 448, 2));
        bias.put(layer + "lora_B.bias", Tensor.of(new float[447], 447));
        refused(bias, layer + "lora_B.bias is [447]", "448 outputs");
        refused(Map.of(layer + "lora_B.bias", Tensor.of(new float[448], 448)), layer + "lora_B.bias");
    }

    private void refused(Map<String, Tensor> tensors, String... parts) {
        Path file = folder.resolve("lora.safetensors");
        SafetensorsWriter.write(file, tensors, Map.of());
        ModelFiles base = model("dev");
        assertThatThrownBy(() -> AdaptedFiles.of(base, List.of(new Lora(file, 1))))
                .isInstanceOf(InputException.class).hasMessageContainingAll(parts);
    }

    private static float[] velocity(ModelFiles files, SafetensorsFile io) {
        try (ModelFiles.Open open = files.open(Component.DENOISER); Workspace w = BACKEND.newWorkspace(1 << 24)) {
            FluxTransformer model = FluxTransformer.load(Weights.of(open.tensors(), Placement.onHost()), open.config());
            Tensor latents = io.find("latents");
            Tensor context = upload(w, io.find("context"));
            FluxRun run = new FluxRun(model, new Compute(BACKEND, w), latents.shape().dim(0), latents.shape().dim(2),
                    latents.shape().dim(3), context.shape().dim(1), new float[0]);
            run.setText(context, upload(w, io.find("pooled")), io.find("guidance").toArray());
            Tensor out = w.f32(latents.shape().dims());
            run.predict(upload(w, latents), FluxRun.TIME_FACTOR * io.find("timestep").reshape(1, 1).get(0, 0), out);
            return BACKEND.download(out);
        }
    }

    private static float[] pooled(ModelFiles files, SafetensorsFile io) {
        try (ModelFiles.Open open = files.open(Component.CLIP_L); Workspace w = BACKEND.newWorkspace(1 << 24)) {
            ClipTextEncoder clip = ClipTextEncoder.load(Weights.of(open.tensors(), Placement.onHost()), open.config());
            float[] ids = io.find("input_ids").toArray();
            int[][] tokens = new int[1][ids.length];
            for (int i = 0; i < ids.length; i++) {
                tokens[0][i] = (int) ids[i];
            }
            return BACKEND.download(clip.apply(new Compute(BACKEND, w), tokens).pooled());
        }
    }

    private static Tensor upload(Workspace w, Tensor tensor) {
        Tensor there = w.f32(tensor.shape().dims());
        BACKEND.upload(tensor.toArray(), there);
        return there;
    }

    /** The relative error, by the root of the mean square. */
    private static void assertClose(float[] actual, SafetensorsFile expected, String name) {
        float[] wanted = expected.find(name).toArray();
        assertThat(actual).as(name).hasSameSizeAs(wanted);
        double off = 0;
        double size = 0;
        for (int i = 0; i < wanted.length; i++) {
            off += Math.pow(actual[i] - wanted[i], 2);
            size += Math.pow(wanted[i], 2);
        }
        assertThat(Math.sqrt(off / size)).as(name).isLessThan(TOLERANCE);
    }
}
