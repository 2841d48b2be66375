package jdiffusion.model.convert;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongConsumer;
import jdiffusion.model.checkpoint.StoredConfig;
import jdiffusion.model.quantize.Stored;
import jdiffusion.tensor.Content;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.gguf.GgmlType;
import jdiffusion.tensor.gguf.GgufWriter;

/** A denoiser in a GGUF file, as the tools that read such files expect it. */
final class GgufParts {
    /** The version of the block formats. */
    private static final int BLOCKS_VERSION = 2;

    private GgufParts() {
    }

    static boolean takes(Stored stored) {
        return stored instanceof Stored.Blocks || stored instanceof Stored.Plain p
                && (p.type() == DType.F32 || p.type() == DType.F16 || p.type() == DType.BF16);
    }

    /** @param architecture as such tools name it */
    static void write(Path file, String architecture, List<Outgoing> tensors, String config, LongConsumer written) {
        GgufWriter writer = new GgufWriter().put("general.architecture", architecture)
                .put("general.quantization_version", BLOCKS_VERSION).put(StoredConfig.KEY, config);
        tensors.forEach(tensor -> {
            long[] dims = Arrays.stream(tensor.shape().dims()).asLongStream().toArray();
            switch (tensor.stored()) {
                case Stored.Plain p -> add(writer, tensor.name(), GgmlType.of(p.type()), dims, p.bytes());
                case Stored.Blocks b -> add(writer, tensor.name(), b.format().ggmlType(), dims, b.bytes());
                default -> throw new IllegalArgumentException(tensor.name() + ": GGUF has no "
                        + tensor.stored().label());
            }
        });
        writer.write(file, written);
    }

    private static void add(GgufWriter writer, String name, int type, long[] dims, Content content) {
        writer.add(new GgufWriter.Entry(name, type, dims, content.byteSize(), new GgufWriter.Pieces(content)));
    }
}
