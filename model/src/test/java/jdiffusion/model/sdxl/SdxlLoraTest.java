package jdiffusion.model.sdxl;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
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
import jdiffusion.model.family.Conditioner;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** One LoRA under the names of all programs that write them changes the UNet and both encoders alike. */
class SdxlLoraTest {
    private static final CpuBackend BACKEND = new CpuBackend();
    private static final double TOLERANCE = 1e-4;
    private static final String SCALE = "output.scale_";

    @AfterAll
    static void close() {
        BACKEND.close();
    }

    private static Path reference() {
        return TestData.reference().resolve("sdxl");
    }

    @TestFactory
    Stream<DynamicTest> allWriters() {
        Path folder = reference().resolve("lora");
        return Stream.of("kohya", "kohya-diffusers", "peft", "peft-plain").map(name -> DynamicTest.dynamicTest(name,
                () -> {
                    try (SafetensorsFile expected = SafetensorsFile.open(folder.resolve("expected.safetensors"))) {
                        check(folder.resolve(name + ".safetensors"), expected);
                    }
                }));
    }

    private static void check(Path lora, SafetensorsFile expected) {
        Set<String> scales = expected.names().stream().filter(name -> name.startsWith(SCALE))
                .map(name -> name.substring(SCALE.length())).collect(Collectors.toSet());
        assertThat(scales).hasSize(3);
        ModelFiles plain = Families.open(reference().resolve("tiny"), ModelSources.NONE);
        assertClose(unet(plain, expected), expected, "output");
        for (String scale : scales) {
            ModelFiles files = AdaptedFiles.of(plain, List.of(new Lora(lora, Float.parseFloat(scale))));
            assertThat(files.notes()).isEqualTo(plain.notes());
            assertClose(unet(files, expected), expected, SCALE + scale);
            Conditioning text = text(files);
            assertClose(text.tensors().get(Conditioning.CONTEXT).toArray(), expected, "prompt_embeds.scale_" + scale);
            assertClose(text.tensors().get(Conditioning.POOLED).toArray(), expected,
                    "pooled_prompt_embeds.scale_" + scale);
        }
        ModelFiles whole = AdaptedFiles.of(plain, List.of(new Lora(lora, 1)));
        for (String name : expected.names()) {
            if (name.startsWith("delta.")) {
                assertClose(delta(plain, whole, name.split("\\.", 3)[1],
                        name.split("\\.", 3)[2].replace(".scale_1.0", ".weight")), expected, name);
            }
        }
    }

    private static float[] unet(ModelFiles files, SafetensorsFile io) {
        try (ModelFiles.Open open = files.open(Component.DENOISER); Workspace w = BACKEND.newWorkspace(1 << 26)) {
            Unet unet = Unet.load(Weights.of(open.tensors(), Placement.onHost()), open.config());
            Tensor latents = io.find("latents");
            int batch = latents.shape().dim(0);
            float[] joined = new float[batch * unet.config().addedDim()];
            for (int i = 0; i < batch; i++) {
                float[] row = SizeEmbedding.join(io.find("pooled").at(i).toArray(), io.find("time_ids").at(i).toArray(),
                        unet.config().addedDim(), "lora");
                System.arraycopy(row, 0, joined, i * row.length, row.length);
            }
            Tensor context = upload(w, io.find("context"));
            UnetRun run = new UnetRun(unet, new Compute(BACKEND, w), batch, latents.shape().dim(2),
                    latents.shape().dim(3), context.shape().dim(1), new float[0]);
            run.setText(context, upload(w, Tensor.of(joined, batch, unet.config().addedDim())));
            Tensor out = w.f32(latents.shape().dims());
            run.predict(upload(w, latents), io.find("timestep").toArray(), out);
            return BACKEND.download(out);
        }
    }

    private static Tensor upload(Workspace w, Tensor tensor) {
        Tensor there = w.f32(tensor.shape().dims());
        BACKEND.upload(tensor.toArray(), there);
        return there;
    }

    private static Conditioning text(ModelFiles files) {
        try (Pipeline pipeline = Pipeline.open(files, BACKEND)) {
            return pipeline.conditioner().encode(pipeline.request("a red circle on a blue background"), false,
                    new Conditioner.Listener() { }).getFirst();
        }
    }

    private static float[] delta(ModelFiles plain, ModelFiles adapted, String folder, String name) {
        Component component = plain.architecture().components().stream()
                .filter(one -> plain.architecture().folder(one).equals(folder)).findFirst().orElseThrow();
        try (ModelFiles.Open before = plain.open(component); ModelFiles.Open after = adapted.open(component)) {
            float[] from = values(before.tensors(), name);
            float[] to = values(after.tensors(), name);
            for (int i = 0; i < to.length; i++) {
                to[i] -= from[i];
            }
            return to;
        }
    }

    private static float[] values(TensorSource source, String name) {
        Tensor tensor = source.find(name);
        if (tensor != null) {
            return tensor.toArray();
        }
        Weight weight = source.weight(name);
        float[] all = new float[weight.rows() * weight.cols()];
        for (int row = 0; row < weight.rows(); row++) {
            weight.read(row, 0, weight.cols(), all, row * weight.cols());
        }
        return all;
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
