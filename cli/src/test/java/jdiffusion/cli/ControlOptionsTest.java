package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import jdiffusion.model.image.Png;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A ControlNet of Stability's layout, with random weights, over the default model. */
class ControlOptionsTest {
    private static final int D = 256;

    @TempDir
    private Path folder;
    private Path edges;
    private Path net;

    @BeforeEach
    void make() throws IOException {
        edges = Cli.picture(folder.resolve("edges.png"), 80, 64);
        net = net(folder);
    }

    /** A small ControlNet for the default model, under the names of Stability's. */
    static Path net(Path folder) {
        Map<String, Tensor> tensors = new TreeMap<>();
        matrix(tensors, "pos_embed_input.proj", D, 16, 2, 2);
        matrix(tensors, "time_text_embed.timestep_embedder.linear_1", D, 256);
        matrix(tensors, "time_text_embed.timestep_embedder.linear_2", D, D);
        matrix(tensors, "time_text_embed.text_embedder.linear_1", D, 192);
        matrix(tensors, "time_text_embed.text_embedder.linear_2", D, D);
        for (int i = 0; i < 2; i++) {
            matrix(tensors, "controlnet_blocks." + i, D, D);
            matrix(tensors, "transformer_blocks." + i + ".adaLN_modulation.1", 6 * D, D);
            matrix(tensors, "transformer_blocks." + i + ".attn.qkv", 3 * D, D);
            matrix(tensors, "transformer_blocks." + i + ".attn.proj", D, D);
            matrix(tensors, "transformer_blocks." + i + ".mlp.fc1", 4 * D, D);
            matrix(tensors, "transformer_blocks." + i + ".mlp.fc2", D, 4 * D);
        }
        Path file = folder.resolve("net_canny.safetensors");
        SafetensorsWriter.write(file, tensors, Map.of());
        return file;
    }

    private static void matrix(Map<String, Tensor> to, String name, int... dims) {
        Random random = new Random(name.hashCode());
        float[] values = new float[Math.toIntExact(Shape.of(dims).size())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (random.nextFloat() - 0.5f) / 8;
        }
        to.put(name + ".weight", Tensor.of(values, dims));
        to.put(name + ".bias", Tensor.of(new float[dims[0]], dims[0]));
    }

    private Path draw(String name, Object... args) {
        Path out = folder.resolve(name);
        Object[] all = new Object[args.length + 3];
        System.arraycopy(args, 0, all, 0, args.length);
        System.arraycopy(new Object[] {"a cat", "-o", out}, 0, all, args.length, 3);
        Cli run = Cli.draw(all);
        assertThat(run.code()).as(run.err().toString()).isZero();
        return out;
    }

    private static byte[] pixels(Path file) {
        return Png.read(file).picture().rgb();
    }

    /** What bfloat16 changes is little beside what the ControlNet does. */
    @Test
    void drawsInBfloat16() {
        byte[] plain = pixels(draw("plain.png"));
        byte[] exact = pixels(draw("exact.png", "--control-net", net, "--control-image", edges));
        byte[] rounded = pixels(draw("rounded.png", "--control-net", net, "--control-image", edges, "--precision",
                "bf16"));
        assertThat(distance(rounded, exact)).isPositive().isLessThan(distance(plain, exact) / 4);
    }

    /** As a wrapped ControlNet is saved, with what training leaves. */
    @Test
    void wrappedNames() {
        Map<String, Tensor> tensors = new TreeMap<>();
        Path wrapped = folder.resolve("wrapped_canny.safetensors");
        try (SafetensorsFile file = SafetensorsFile.open(net)) {
            file.names().forEach(name -> tensors.put("controlnet._orig_mod." + name.replaceFirst("blocks\\.(\\d)",
                    "blocks.$1.module"), file.find(name)));
            tensors.put("global_step", Tensor.of(new float[1], 1));
            SafetensorsWriter.write(wrapped, tensors, Map.of());
        }
        assertThat(pixels(draw("wrapped.png", "--control-net", wrapped, "--control-image", edges)))
                .isEqualTo(pixels(draw("plain.png", "--control-net", net, "--control-image", edges)));
    }

    private static double distance(byte[] a, byte[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            double d = (a[i] & 0xff) - (b[i] & 0xff);
            sum += d * d;
        }
        return Math.sqrt(sum / a.length);
    }

    @Test
    void drawsAndRepeats() throws IOException {
        Path plain = draw("plain.png");
        Path full = draw("full.png", "--control-net", net, "--control-image", edges);
        assertThat(pixels(full)).isNotEqualTo(pixels(plain));
        assertThat(Png.texts(full).get("parameters")).contains("ControlNet: net_canny.safetensors, ControlNet kind:"
                + " canny, ControlNet strength: 1, ControlNet start: 0, ControlNet end: 1, ControlNet image hash: ");
        Path depth = draw("depth.png", "--control-net", net, "--control-image", edges, "--control-kind", "depth");
        assertThat(pixels(depth)).isNotEqualTo(pixels(full));
        Path none = draw("none.png", "--control-net", net, "--control-image", edges, "--control-strength", 0);
        assertThat(pixels(none)).isEqualTo(pixels(plain));
        Path outside = draw("outside.png", "--control-net", net, "--control-image", edges, "--control-start", 0.6);
        assertThat(pixels(outside)).isEqualTo(pixels(plain));
        Path half = draw("half.png", "--control-net", net, "--control-image", edges, "--control-end", 0.5,
                "--control-strength", 0.7);
        assertThat(pixels(half)).isNotEqualTo(pixels(full)).isNotEqualTo(pixels(plain));

        Path again = folder.resolve("again.png");
        Cli repeated = Cli.run("generate", "--from", half, "--control-net", net, "--control-image", edges, "-o", again);
        assertThat(repeated.code()).as(repeated.err().toString()).isZero();
        assertThat(repeated.err()).noneMatch(line -> line.startsWith("note:"));
        assertThat(again).hasSameBinaryContentAs(half);
        assertThat(Cli.run("generate", "--from", half, "-o", again).err().getFirst())
                .contains("was drawn with the ControlNet 'net_canny.safetensors'; give it with --control-net");
    }

    @Test
    void itsMemoryIsPlanned() {
        Cli without = Cli.run("plan", "-W", 64, "-H", 64, "--no-t5", "--json");
        Cli with = Cli.run("plan", "-W", 64, "-H", 64, "--no-t5", "--json", "--control-net", net, "--control-image",
                edges);
        assertThat(with.code()).as(with.err().toString()).isZero();
        assertThat(with.out()).isNotEqualTo(without.out());
    }

    private void assertFails(String message, Object... args) {
        Path out = folder.resolve("never.png");
        Object[] all = new Object[args.length + 3];
        System.arraycopy(args, 0, all, 0, args.length);
        System.arraycopy(new Object[] {"a", "-o", out}, 0, all, args.length, 3);
        Cli run = Cli.draw(all);
        assertThat(run.code()).as(run.err().toString()).isEqualTo(2);
        assertThat(run.err()).hasSize(1);
        assertThat(run.err().getFirst()).contains(message);
        assertThat(Files.exists(out)).isFalse();
    }

    @Test
    void whatCannotBeUsedIsOneLine() throws IOException {
        assertFails("need a ControlNet; give --control-net", "--control-image", edges);
        Path denoiser = TestModel.SHAPES.resolve("transformer/diffusion_pytorch_model.safetensors");
        assertFails(denoiser + ": is no ControlNet, it has no pos_embed_input.proj.weight", "--control-net", denoiser,
                "--control-image", edges);
        assertFails("give --control-image", "--control-net", net);
        assertFails("the kind of ControlNet is 'pose'", "--control-net", net, "--control-image", edges,
                "--control-kind", "pose");
        assertFails("the ControlNet's part is from 0.5 to 0.1", "--control-net", net, "--control-image", edges,
                "--control-start", 0.5, "--control-end", 0.1);
        assertFails("the ControlNet's strength is NaN", "--control-net", net, "--control-image", edges,
                "--control-strength", "NaN");
        Path nameless = Files.copy(net, folder.resolve("net.safetensors"));
        assertFails("say with --control-kind", "--control-net", nameless, "--control-image", edges);
        assertFails("nowhere.safetensors", "--control-net", folder.resolve("nowhere.safetensors"), "--control-image",
                edges);
        SafetensorsWriter.write(nameless, Map.of("pos_embed_input.proj.weight", Tensor.of(new float[64], 1, 16, 2, 2)),
                Map.of());
        assertFails("is it for another model?", "--control-net", nameless, "--control-image", edges, "--control-kind",
                "blur");
    }
}
