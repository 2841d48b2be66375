package jdiffusion.model.quantize;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.Content;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FloatFormat;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;

/** What a matrix can be quantised to. */
public enum QuantType {
    NF4, NF4_DOUBLE, FP4, FP4_DOUBLE, Q8_0(BlockFormat.Q8_0), Q4_0(BlockFormat.Q4_0), FP8, FP8_PLAIN;

    /** Largest number of F8_E4M3. */
    private static final float LARGEST = 448;
    private static final int RUN = 4096;
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final BlockFormat blocks;

    QuantType() {
        this(null);
    }

    QuantType(BlockFormat blocks) {
        this.blocks = blocks;
    }

    /** As it stands on the command line. */
    public String label() {
        return blocks != null ? blocks.name().toLowerCase(Locale.ROOT)
                : name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** The type of that label. */
    public static QuantType of(String label) {
        for (QuantType type : values()) {
            if (type.label().equals(label)) {
                return type;
            }
        }
        throw new InputException("'" + InputException.shown(label) + "' is no type to quantise to; use "
                + Arrays.stream(values()).map(QuantType::label).collect(Collectors.joining(", ")) + " or none");
    }

    /** Whether something is stored in this type already. */
    public boolean is(Stored stored) {
        return switch (this) {
            case FP8 -> stored instanceof Stored.Scaled s && s.type() == DType.F8_E4M3;
            case FP8_PLAIN -> stored instanceof Stored.Plain p && p.type() == DType.F8_E4M3;
            case NF4, NF4_DOUBLE, FP4, FP4_DOUBLE, Q8_0, Q4_0 -> stored.label().equals(label());
        };
    }

    /** Elements of a row that a block needs; 1 when every width can be quantised. */
    int blockSize() {
        return blocks == null ? 1 : blocks.blockSize();
    }

    /** The matrix in this type, its parts yet to be made; what they all depend on is measured here. */
    public Stored quantise(Elements source) {
        return quantise(source, true);
    }

    /** The same for its sizes alone: nothing is read, and its parts must not be. */
    Stored outline(Elements source) {
        return quantise(source, false);
    }

    private Stored quantise(Elements source, boolean measured) {
        return switch (this) {
            case NF4, FP4 -> FourBitQuantiser.of(source, label(), false, measured);
            case NF4_DOUBLE -> FourBitQuantiser.of(source, NF4.label(), true, measured);
            case FP4_DOUBLE -> FourBitQuantiser.of(source, FP4.label(), true, measured);
            case Q8_0, Q4_0 -> new Stored.Blocks(blocks, blocks(source, blocks));
            case FP8 -> scaled(source, measured ? largest(source) : 0);
            case FP8_PLAIN -> new Stored.Plain(DType.F8_E4M3, narrowed(source, DType.F8_E4M3));
        };
    }

    private static Content blocks(Elements source, BlockFormat format) {
        int size = format.blockSize();
        int bytes = format.blockBytes();
        return new Made(source.shape().size() / size * bytes, bytes, (offset, to) -> {
            float[] run = new float[RUN];
            long blocks = to.byteSize() / bytes;
            for (long done = 0; done < blocks; done += RUN / size) {
                int n = (int) Math.min(RUN / size, blocks - done);
                source.read((offset / bytes + done) * size, n * size, run, 0);
                for (int b = 0; b < n; b++) {
                    format.encode(run, b * size, to, (done + b) * bytes);
                }
            }
        });
    }

    /** As ComfyUI stores fp8: the largest magnitude becomes the type's largest number. */
    private static Stored scaled(Elements source, float largest) {
        // Divided by less than a normal number, elements would be past the type's largest, or not finite.
        float scale = largest == 0 ? 1 : Math.max(largest / LARGEST, Float.MIN_NORMAL);
        Content elements = new Made(source.shape().size(), 1, (offset, to) -> {
            float[] run = new float[RUN];
            for (long done = 0; done < to.byteSize(); done += RUN) {
                int n = (int) Math.min(RUN, to.byteSize() - done);
                source.read(offset + done, n, run, 0);
                for (int i = 0; i < n; i++) {
                    to.set(ValueLayout.JAVA_BYTE, done + i, FloatFormat.floatToE4m3(run[i] / scale));
                }
            }
        });
        return new Stored.Scaled(DType.F8_E4M3, elements, Content.of(Tensor.of(new float[] {scale}, 1)));
    }

    private static float largest(Elements source) {
        long size = source.shape().size();
        return (float) LongStream.range(0, Math.ceilDiv(size, Content.PIECE)).parallel().mapToDouble(piece -> {
            float[] run = new float[RUN];
            float largest = 0;
            long end = Math.min(size, (piece + 1) * Content.PIECE);
            for (long at = piece * Content.PIECE; at < end; at += RUN) {
                int n = (int) Math.min(RUN, end - at);
                source.read(at, n, run, 0);
                for (int i = 0; i < n; i++) {
                    largest = Math.max(largest, Math.abs(run[i]));
                }
            }
            return largest;
        }).max().orElse(0);
    }

    /** The elements rounded to a plain type; what is past the largest F8_E4M3 becomes that. */
    public static Content narrowed(Elements source, DType type) {
        int bytes = type.bytes();
        return new Made(source.shape().size() * bytes, bytes, (offset, to) -> {
            float[] run = new float[RUN];
            long count = to.byteSize() / bytes;
            for (long done = 0; done < count; done += RUN) {
                int n = (int) Math.min(RUN, count - done);
                source.read(offset / bytes + done, n, run, 0);
                narrow(run, n, type, to, done * bytes);
            }
        });
    }

    private static void narrow(float[] run, int n, DType type, MemorySegment to, long at) {
        switch (type) {
            case F32 -> MemorySegment.copy(run, 0, to, FLOAT, at, n);
            case BF16 -> {
                for (int i = 0; i < n; i++) {
                    to.set(SHORT, at + 2L * i, FloatFormat.floatToBf16(run[i]));
                }
            }
            case F16 -> {
                for (int i = 0; i < n; i++) {
                    to.set(SHORT, at + 2L * i, FloatFormat.floatToF16(run[i]));
                }
            }
            case F8_E4M3 -> {
                for (int i = 0; i < n; i++) {
                    to.set(ValueLayout.JAVA_BYTE, at + i,
                            FloatFormat.floatToE4m3(Math.clamp(run[i], -LARGEST, LARGEST)));
                }
            }
            default -> throw new IllegalArgumentException("nothing here rounds to " + type);
        }
    }
}
