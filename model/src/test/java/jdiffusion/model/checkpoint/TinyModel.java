package jdiffusion.model.checkpoint;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import jdiffusion.model.checkpoint.names.Mapped;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.gguf.GgmlType;
import jdiffusion.tensor.gguf.GgufWriter;

/** Very small components under diffusers' names, and the same tensors under those of other layouts. */
final class TinyModel {
    static final int CONTEXT = 64;
    static final int POOLED = 48;

    private TinyModel() {
    }

    /** A source over tensors in memory. */
    record Tensors(String origin, Map<String, Tensor> all) implements TensorSource {
        @Override
        public Set<String> names() {
            return all.keySet();
        }

        @Override
        public Tensor find(String name) {
            return all.get(name);
        }
    }

    /** A denoiser of heads of 64; all elements are different. */
    static Map<String, Tensor> denoiser(int width, int depth, int dual, boolean qkNorm) {
        Map<String, Tensor> all = new TreeMap<>();
        put(all, "pos_embed.pos_embed", 1, 36, width);
        put(all, "pos_embed.proj.weight", width, 16, 2, 2);
        put(all, "pos_embed.proj.bias", width);
        linear(all, "context_embedder", width, CONTEXT);
        linear(all, "time_text_embed.timestep_embedder.linear_1", width, 256);
        linear(all, "time_text_embed.timestep_embedder.linear_2", width, width);
        linear(all, "time_text_embed.text_embedder.linear_1", width, POOLED);
        linear(all, "time_text_embed.text_embedder.linear_2", width, width);
        linear(all, "norm_out.linear", 2 * width, width);
        linear(all, "proj_out", 64, width);
        for (int i = 0; i < depth; i++) {
            String block = "transformer_blocks." + i + ".";
            boolean last = i == depth - 1;
            linear(all, block + "norm1.linear", (i < dual ? 9 : 6) * width, width);
            linear(all, block + "norm1_context.linear", (last ? 2 : 6) * width, width);
            List<String> projections = new ArrayList<>(List.of("attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0",
                    "attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"));
            List<String> norms = new ArrayList<>(List.of("attn.norm_q", "attn.norm_k", "attn.norm_added_q",
                    "attn.norm_added_k"));
            if (!last) {
                projections.add("attn.to_add_out");
            }
            if (i < dual) {
                projections.addAll(List.of("attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0"));
                norms.addAll(List.of("attn2.norm_q", "attn2.norm_k"));
            }
            projections.forEach(name -> linear(all, block + name, width, width));
            if (qkNorm) {
                norms.forEach(name -> put(all, block + name + ".weight", 64));
            }
            for (String ff : last ? List.of("ff") : List.of("ff", "ff_context")) {
                linear(all, block + ff + ".net.0.proj", 4 * width, width);
                linear(all, block + ff + ".net.2", width, 4 * width);
            }
        }
        return all;
    }

    static Map<String, Tensor> clip(int width, int pooled) {
        Map<String, Tensor> all = new TreeMap<>();
        put(all, "text_model.embeddings.token_embedding.weight", 10, width);
        put(all, "text_model.embeddings.position_embedding.weight", 77, width);
        put(all, "text_projection.weight", pooled, width);
        norm(all, "text_model.final_layer_norm", width);
        String layer = "text_model.encoder.layers.0.";
        for (String name : List.of("q_proj", "k_proj", "v_proj", "out_proj")) {
            linear(all, layer + "self_attn." + name, width, width);
        }
        norm(all, layer + "layer_norm1", width);
        norm(all, layer + "layer_norm2", width);
        linear(all, layer + "mlp.fc1", 2 * width, width);
        linear(all, layer + "mlp.fc2", width, 2 * width);
        return all;
    }

    static Map<String, Tensor> t5() {
        Map<String, Tensor> all = new TreeMap<>();
        put(all, "shared.weight", 10, CONTEXT);
        put(all, "encoder.final_layer_norm.weight", CONTEXT);
        for (int i = 0; i < 2; i++) {
            String self = "encoder.block." + i + ".layer.0.";
            String ff = "encoder.block." + i + ".layer.1.";
            for (String name : List.of("q", "k", "v", "o")) {
                put(all, self + "SelfAttention." + name + ".weight", CONTEXT, CONTEXT);
            }
            put(all, self + "layer_norm.weight", CONTEXT);
            put(all, ff + "layer_norm.weight", CONTEXT);
            put(all, ff + "DenseReluDense.wi_0.weight", 96, CONTEXT);
            put(all, ff + "DenseReluDense.wi_1.weight", 96, CONTEXT);
            put(all, ff + "DenseReluDense.wo.weight", CONTEXT, 96);
        }
        put(all, "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", 32, 2);
        return all;
    }

    /** A VAE of two resolutions with 32 channels each. */
    static Map<String, Tensor> vae() {
        Map<String, Tensor> all = new TreeMap<>();
        for (String half : List.of("encoder.", "decoder.")) {
            boolean encoder = half.equals("encoder.");
            conv(all, half + "conv_in", 32, encoder ? 3 : 16, 3);
            conv(all, half + "conv_out", encoder ? 32 : 3, 32, 3);
            norm(all, half + "conv_norm_out", 32);
            norm(all, half + "mid_block.attentions.0.group_norm", 32);
            for (String name : List.of("to_q", "to_k", "to_v", "to_out.0")) {
                linear(all, half + "mid_block.attentions.0." + name, 32, 32);
            }
            List<String> blocks = new ArrayList<>(List.of("mid_block.resnets.0", "mid_block.resnets.1"));
            for (int level = 0; level < 2; level++) {
                for (int j = 0; j < (encoder ? 1 : 2); j++) {
                    blocks.add((encoder ? "down_blocks." : "up_blocks.") + level + ".resnets." + j);
                }
            }
            for (String block : blocks) {
                norm(all, half + block + ".norm1", 32);
                conv(all, half + block + ".conv1", 32, 32, 3);
                norm(all, half + block + ".norm2", 32);
                conv(all, half + block + ".conv2", 32, 32, 3);
            }
            conv(all, half + (encoder ? "down_blocks.0.downsamplers.0.conv" : "up_blocks.0.upsamplers.0.conv"), 32,
                    32, 3);
        }
        return all;
    }

    private static void linear(Map<String, Tensor> all, String name, int out, int in) {
        put(all, name + ".weight", out, in);
        put(all, name + ".bias", out);
    }

    private static void norm(Map<String, Tensor> all, String name, int size) {
        put(all, name + ".weight", size);
        put(all, name + ".bias", size);
    }

    private static void conv(Map<String, Tensor> all, String name, int out, int in, int kernel) {
        put(all, name + ".weight", out, in, kernel, kernel);
        put(all, name + ".bias", out);
    }

    private static void put(Map<String, Tensor> all, String name, int... dims) {
        float[] values = new float[(int) Shape.of(dims).size()];
        int start = name.hashCode();
        for (int i = 0; i < values.length; i++) {
            values[i] = (start * 31 + i * 2654435761L) % 2003 / 1e5f;
        }
        all.put(name, Tensor.of(values, dims));
    }

    /** The tensors of a component as a layout stores them. */
    static Map<String, Tensor> original(Naming naming, String prefix, TensorSource ours) {
        Map<String, Tensor> all = new TreeMap<>();
        for (Mapped mapped : naming.toOriginal(ours.names())) {
            all.put(prefix + mapped.original(), original(mapped, ours));
        }
        return all;
    }

    private static Tensor original(Mapped mapped, TensorSource ours) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        int rows = 0;
        Tensor first = ours.find(mapped.names().getFirst());
        for (String name : mapped.names()) {
            Tensor part = ours.find(name);
            bytes.writeBytes(part.data().asSlice(0, part.byteSize()).toArray(ValueLayout.JAVA_BYTE));
            rows += part.shape().dim(0);
        }
        byte[] all = bytes.toByteArray();
        if (mapped.form() == Mapped.Form.SWAPPED) {
            byte[] lower = Arrays.copyOfRange(all, all.length / 2, all.length);
            System.arraycopy(all, 0, all, all.length / 2, all.length / 2);
            System.arraycopy(lower, 0, all, 0, lower.length);
        }
        int[] dims = first.shape().dims();
        dims[0] = rows;
        if (mapped.form() == Mapped.Form.CONVOLUTION) {
            dims = new int[] {dims[0], dims[1], 1, 1};
        }
        return Tensor.of(MemorySegment.ofArray(all), first.type(), Shape.of(dims));
    }

    /** Writes float32 tensors to a GGUF file, matrices of whole blocks in {@code format} if one is given. */
    static void gguf(Path file, Map<String, Tensor> tensors, BlockFormat format) {
        gguf(file, tensors, format, new GgufWriter().put("general.architecture", "sd3"));
    }

    /** @param writer knows all metadata */
    static void gguf(Path file, Map<String, Tensor> tensors, BlockFormat format, GgufWriter writer) {
        tensors.forEach((name, tensor) -> {
            int[] dims = tensor.shape().dims();
            // ggml drops outer dimensions of 1.
            int from = dims.length == 3 && dims[0] == 1 ? 1 : 0;
            long[] kept = Arrays.stream(dims).skip(from).asLongStream().toArray();
            boolean blocks = format != null && dims.length == 2 && tensor.cols() % format.blockSize() == 0;
            byte[] bytes = blocks ? encoded(tensor, format)
                    : tensor.data().asSlice(0, tensor.byteSize()).toArray(ValueLayout.JAVA_BYTE);
            writer.add(new GgufWriter.Entry(name, blocks ? format.ggmlType() : GgmlType.of(DType.F32), kept,
                    bytes.length, channel -> {
                        ByteBuffer buffer = ByteBuffer.wrap(bytes);
                        while (buffer.hasRemaining()) {
                            channel.write(buffer);
                        }
                    }));
        });
        writer.write(file);
    }

    private static byte[] encoded(Tensor tensor, BlockFormat format) {
        float[] values = tensor.toArray();
        byte[] bytes = new byte[values.length / format.blockSize() * format.blockBytes()];
        for (int b = 0; b < values.length / format.blockSize(); b++) {
            format.encode(values, b * format.blockSize(), MemorySegment.ofArray(bytes), (long) b * format.blockBytes());
        }
        return bytes;
    }
}
