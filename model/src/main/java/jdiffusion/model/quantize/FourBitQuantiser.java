package jdiffusion.model.quantize;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdiffusion.tensor.Content;
import jdiffusion.tensor.Tensor;

/**
 * bitsandbytes' 4 bits (Dettmers et al., "QLoRA", 2023): blocks of 64 elements of the flattened matrix, each divided
 * by its largest magnitude, then the nearest of 16 values.
 */
final class FourBitQuantiser {
    private static final int BLOCK = 64;
    private static final int NESTED_BLOCK = 256;
    /** Elements read at a time, whole blocks. */
    private static final int RUN = 64 * BLOCK;
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Elements source;
    private final long size;
    private final CodeMap map;

    private FourBitQuantiser(Elements source, CodeMap map) {
        this.source = source;
        this.size = source.shape().size();
        this.map = map;
    }

    /**
     * @param nested   whether the scales are quantised too
     * @param measured whether to read all elements at once when that is needed for the nested scales
     */
    static Stored.FourBit of(Elements source, String kind, boolean nested, boolean measured) {
        CodeMap map = kind.equals("fp4") ? CodeMap.FP4 : CodeMap.NF4;
        FourBitQuantiser q = new FourBitQuantiser(source, map);
        Content absmax = q.absmax();
        Content codes = q.codes();
        if (!nested) {
            return new Stored.FourBit(kind, codes, map.tensor(), BLOCK, absmax, null);
        }
        float[] scales = new float[Math.toIntExact(absmax.byteSize() / Float.BYTES)];
        if (measured) {
            absmax.readAll(MemorySegment.ofArray(scales));
        }
        return nested(kind, codes, map, scales);
    }

    private static Stored.FourBit nested(String kind, Content codes, CodeMap map, float[] scales) {
        double sum = 0;
        for (float scale : scales) {
            sum += scale;
        }
        float offset = (float) (sum / scales.length);
        byte[] absmax = new byte[scales.length];
        float[] nestedAbsmax = new float[Math.ceilDiv(scales.length, NESTED_BLOCK)];
        for (int b = 0; b < nestedAbsmax.length; b++) {
            int end = Math.min(scales.length, (b + 1) * NESTED_BLOCK);
            float largest = 0;
            for (int i = b * NESTED_BLOCK; i < end; i++) {
                largest = Math.max(largest, Math.abs(scales[i] - offset));
            }
            nestedAbsmax[b] = largest;
            float factor = largest == 0 ? 0 : 1 / largest;
            for (int i = b * NESTED_BLOCK; i < end; i++) {
                absmax[i] = (byte) CodeMap.SCALES.code(Math.clamp((scales[i] - offset) * factor, -1f, 1f));
            }
        }
        return new Stored.FourBit(kind, codes, map.tensor(), BLOCK, Content.of(absmax),
                new Stored.FourBit.Nested(NESTED_BLOCK, Content.of(Tensor.of(nestedAbsmax, nestedAbsmax.length)),
                        CodeMap.SCALES.tensor(), offset));
    }

    private static float largest(float[] values, int from, int to) {
        float largest = 0;
        for (int i = from; i < to; i++) {
            largest = Math.max(largest, Math.abs(values[i]));
        }
        return largest;
    }

    private Content absmax() {
        return new Made(Math.ceilDiv(size, BLOCK) * Float.BYTES, Float.BYTES, (offset, to) -> {
            float[] run = new float[RUN];
            long blocks = to.byteSize() / Float.BYTES;
            for (long done = 0; done < blocks; done += RUN / BLOCK) {
                long element = (offset / Float.BYTES + done) * BLOCK;
                int n = (int) Math.min(Math.min(RUN, (blocks - done) * BLOCK), size - element);
                source.read(element, n, run, 0);
                for (int i = 0; i < n; i += BLOCK) {
                    to.set(FLOAT, (done + i / BLOCK) * Float.BYTES, largest(run, i, Math.min(n, i + BLOCK)));
                }
            }
        });
    }

    private Content codes() {
        return new Made(Math.ceilDiv(size, 2), BLOCK / 2, (offset, to) -> {
            float[] run = new float[RUN];
            byte[] packed = new byte[RUN / 2];
            for (long done = 0; done < to.byteSize(); done += RUN / 2) {
                long element = (offset + done) * 2;
                int n = (int) Math.min(Math.min(RUN, (to.byteSize() - done) * 2), size - element);
                source.read(element, n, run, 0);
                // An odd count ends with half a byte, of the code of zero.
                Arrays.fill(run, n, Math.min(RUN, n + 1), 0);
                for (int i = 0; i < n; i += BLOCK) {
                    pack(run, i, Math.min(n, i + BLOCK), packed);
                }
                MemorySegment.copy(packed, 0, to, ValueLayout.JAVA_BYTE, done, (n + 1) / 2);
            }
        });
    }

    private void pack(float[] run, int from, int to, byte[] packed) {
        float largest = largest(run, from, to);
        // bitsandbytes divides blocks of zeros by zero; here they get the code of zero.
        float factor = largest == 0 ? 0 : 1 / largest;
        for (int i = from; i < to; i += 2) {
            int high = map.code(Math.clamp(run[i] * factor, -1f, 1f));
            int low = map.code(Math.clamp(run[i + 1] * factor, -1f, 1f));
            packed[i / 2] = (byte) (high << 4 | low);
        }
    }
}
