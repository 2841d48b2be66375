package jdiffusion.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Against the Python package gguf 0.19 ({@code gguf.quants.dequantize} and {@code quantize}): checksums of what it
 * makes of the same blocks and elements.
 */
class BlockFormatTest {
    private static final int BLOCKS = 64;

    /** The high halves of a linear congruential sequence, which any language makes in one line. */
    private static int[] sequence(int n) {
        int[] values = new int[n];
        int state = 1;
        for (int i = 0; i < n; i++) {
            state = state * 1664525 + 1013904223;
            values[i] = state;
        }
        return values;
    }

    /** Any bytes, but the float16 at the given places of a block are under 2 in magnitude. */
    private static byte[] blocks(BlockFormat format, int... halves) {
        int[] sequence = sequence(BLOCKS * format.blockBytes());
        byte[] bytes = new byte[sequence.length];
        for (int i = 0; i < bytes.length; i++) {
            int high = i % format.blockBytes() - 1;
            boolean top = Arrays.stream(halves).anyMatch(half -> half == high);
            bytes[i] = (byte) (sequence[i] >>> 24 & (top ? 0xbf : 0xff));
        }
        return bytes;
    }

    /** Blocks of very different sizes, with one of zeros, one of one sign each, and one of equal elements. */
    private static float[] elements() {
        int[] sequence = sequence(BLOCKS * 32);
        float[] values = new float[sequence.length];
        for (int i = 0; i < values.length; i++) {
            int block = i / 32;
            float unit = (float) ((sequence[i] & 0xffffffffL) - 0x80000000L) * 0x1p-31f;
            values[i] = Math.scalb(unit, block % 30 - 18);
            values[i] = switch (block) {
                case 5 -> 0;
                case 6 -> -Math.abs(values[i]);
                case 7 -> Math.abs(values[i]);
                case 8 -> values[8 * 32];
                default -> values[i];
            };
        }
        return values;
    }

    private static long checksum(byte[] bytes) {
        CRC32 crc = new CRC32();
        crc.update(bytes);
        return crc.getValue();
    }

    private static long checksum(float[] values) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(values);
        return checksum(bytes.array());
    }

    @ParameterizedTest
    @CsvSource({"Q8_0, abfae7ee, 0", "Q4_0, 7d1d8045, 0", "Q4_1, 01f41ab5, 0 2", "Q5_0, 26e8c7a4, 0",
        "Q5_1, 3af3f215, 0 2", "Q2_K, 2c487419, 80 82", "Q3_K, fce294b0, 108", "Q4_K, 3511b976, 0 2",
        "Q5_K, 298de9c1, 0 2", "Q6_K, 65bf1b35, 208"})
    void decodesToTheBit(BlockFormat format, String expected, String halves) {
        byte[] bytes = blocks(format, Arrays.stream(halves.split(" ")).mapToInt(Integer::parseInt).toArray());
        // One byte further on, since nothing says that blocks are aligned.
        byte[] moved = new byte[bytes.length + 1];
        System.arraycopy(bytes, 0, moved, 1, bytes.length);
        float[] values = new float[BLOCKS * format.blockSize() + 3];
        for (int b = 0; b < BLOCKS; b++) {
            format.decode(MemorySegment.ofArray(moved), 1 + (long) b * format.blockBytes(), values,
                    3 + b * format.blockSize());
        }
        assertThat(checksum(Arrays.copyOfRange(values, 3, values.length))).isEqualTo(Long.parseLong(expected, 16));
        assertThat(values).startsWith(0, 0, 0);
    }

    @ParameterizedTest
    @CsvSource({"Q8_0, d8c16b89", "Q4_0, ecb626b3", "Q4_1, 70895fe6", "Q5_0, c9b75f97", "Q5_1, e6eb1c2b"})
    void encodesToTheBit(BlockFormat format, String expected) {
        float[] values = elements();
        byte[] bytes = new byte[BLOCKS * format.blockBytes()];
        for (int b = 0; b < BLOCKS; b++) {
            format.encode(values, b * 32, MemorySegment.ofArray(bytes), (long) b * format.blockBytes());
        }
        assertThat(checksum(bytes)).isEqualTo(Long.parseLong(expected, 16));
    }

    /** A code is off by at most half a step of the scale, and the float16 of scale and least value by 2^-11 of it. */
    @ParameterizedTest
    @EnumSource(names = {"Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"})
    void whatIsEncodedDecodesToItsNeighbourhood(BlockFormat format) {
        float[] values = elements();
        MemorySegment bytes = MemorySegment.ofArray(new byte[format.blockBytes()]);
        float[] back = new float[32];
        for (int b = 0; b < BLOCKS; b++) {
            float[] block = Arrays.copyOfRange(values, b * 32, b * 32 + 32);
            format.encode(block, 0, bytes, 0);
            format.decode(bytes, 0, back, 0);
            float largest = 0;
            for (float v : block) {
                largest = Math.max(largest, Math.abs(v));
            }
            int steps = switch (format) {
                case Q8_0 -> 127;
                case Q4_0 -> 8;
                case Q5_0 -> 16;
                case Q4_1 -> 15;
                default -> 31;
            };
            // With one scale the element opposite to the largest may lack a code, and be off by a whole step.
            double bound = largest * (1.0 / steps + 0x1p-10) + 0x1p-24 * (steps + 1);
            for (int i = 0; i < 32; i++) {
                assertThat((double) back[i]).as("block %d element %d", b, i).isBetween(block[i] - bound,
                        block[i] + bound);
            }
        }
    }

    @Test
    void theOthersAreNotEncoded() {
        Set<BlockFormat> encoded = EnumSet.noneOf(BlockFormat.class);
        for (BlockFormat format : BlockFormat.values()) {
            if (format.encodes()) {
                encoded.add(format);
            } else {
                assertThatThrownBy(() -> format.encode(new float[256], 0, MemorySegment.ofArray(new byte[300]), 0))
                        .isInstanceOf(UnsupportedOperationException.class).hasMessageContaining(format.name());
            }
        }
        assertThat(encoded).containsExactlyInAnyOrder(BlockFormat.Q8_0, BlockFormat.Q4_0, BlockFormat.Q4_1,
                BlockFormat.Q5_0, BlockFormat.Q5_1);
    }

    @Test
    void formatsAreFoundByTheirNumber() {
        for (BlockFormat format : BlockFormat.values()) {
            assertThat(BlockFormat.of(format.ggmlType())).isEqualTo(format);
        }
        assertThat(BlockFormat.of(0)).isNull();
        assertThat(BlockFormat.of(-1)).isNull();
        assertThat(BlockFormat.Q4_K.rowBytes(1536)).isEqualTo(6 * 144);
        assertThatIllegalArgumentException().isThrownBy(() -> BlockFormat.Q4_K.rowBytes(1537));
    }
}
