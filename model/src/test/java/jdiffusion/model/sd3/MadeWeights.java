package jdiffusion.model.sd3;

import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/** Weights that anybody can make from their names, so that a reference needs none in its files. */
final class MadeWeights {
    private static final long MASK = 0xffff_ffffL;

    private MadeWeights() {
    }

    /**
     * Element i is (h >> 8) / 2^24 - 0.5 for h = (g ^ g >> 15) * 2246822519 and g = i * 2654435761 + crc32(name) *
     * 40503, both modulo 2^32; scaled by 0.2 in a vector and by 2 / sqrt(columns) in others; of the norms of q and k 1
     * plus a half of it.
     */
    static Tensor of(String name, int... dims) {
        CRC32 crc = new CRC32();
        crc.update(name.getBytes(StandardCharsets.UTF_8));
        Shape shape = Shape.of(dims);
        float[] values = new float[Math.toIntExact(shape.size())];
        double fan = (double) shape.size() / dims[0];
        boolean norm = name.contains("norm_q") || name.contains("norm_k") || name.contains("norm_added")
                || name.endsWith("ln_q.weight") || name.endsWith("ln_k.weight");
        for (int i = 0; i < values.length; i++) {
            long g = i * 2654435761L + crc.getValue() * 40503 & MASK;
            long h = (g ^ g >> 15) * 2246822519L & MASK;
            double value = (h >> 8) / 16777216.0 - 0.5;
            values[i] = (float) (norm ? 1 + value * 0.5 : dims.length == 1 ? value * 0.2
                    : value * (2 / Math.sqrt(fan)));
        }
        return Tensor.of(values, dims);
    }
}
