package jdiffusion.emulator.exec;

import jdiffusion.emulator.DeviceFault.Kind;

/**
 * A factor of a warpgroup's product in shared memory, as its descriptor says: where it starts, two distances, and the
 * pattern in which chunks of 16 bytes change places.
 *
 * <p>A factor has lines (rows of A, columns of B) and 32 bytes of k. Where k runs fastest, 8 lines stand one pattern
 * width apart (16 bytes without a pattern), the next 8 at the stride; the second chunk of k follows the first, or
 * without a pattern stands at the leading distance. Where lines run fastest, a chunk holds several lines of one k, a
 * pattern width holds 2, 4 or 8 chunks, and the next of those stand at the leading distance; 8 of k stand one pattern
 * width apart, the next 8 at the stride. Without a pattern the two distances change their roles there.
 */
final class WarpgroupMatrix {
    private static final int CHUNK = 16;
    private static final int DEPTH_BYTES = 32;
    private static final int GROUP = 8;
    /** Bits of the pattern by the descriptor's two bits for it. */
    private static final int[] PATTERN_BITS = {0, 3, 2, 1};

    /** Types of factors. */
    enum Element {
        F16(2), BF16(2), TF32(4), E4M3(1), E5M2(1), S8(1), U8(1);

        private final int bytes;
        /** Values of all bytes; of no length where an element has more. */
        private final float[] ofByte;

        static {
            for (Element element : values()) {
                for (int i = 0; i < element.ofByte.length; i++) {
                    element.ofByte[i] = element.value(i);
                }
            }
        }

        Element(int bytes) {
            this.bytes = bytes;
            this.ofByte = new float[bytes == 1 ? 1 << Byte.SIZE : 0];
        }

        static Element of(String modifier) {
            return switch (modifier) {
                case "f16" -> F16;
                case "bf16" -> BF16;
                case "tf32" -> TF32;
                case "e4m3" -> E4M3;
                case "e5m2" -> E5M2;
                case "s8" -> S8;
                case "u8" -> U8;
                default -> throw WarpgroupProduct.unsupported();
            };
        }

        int bytes() {
            return bytes;
        }

        /** The k of one instruction. */
        int depth() {
            return DEPTH_BYTES / bytes;
        }

        boolean isInteger() {
            return this == S8 || this == U8;
        }

        /** Whether sums may be kept in float16. */
        boolean hasHalfSums() {
            return this == F16 || this == E4M3 || this == E5M2;
        }

        /** The value of these bits, or of their lowest. */
        float value(int bits) {
            return switch (this) {
                case F16 -> Float.float16ToFloat((short) bits);
                case BF16 -> Float.intBitsToFloat(bits << 16);
                case TF32 -> Float.intBitsToFloat(bits & -1 << 13);
                case E4M3 -> e4m3(bits);
                case E5M2 -> Float.float16ToFloat((short) (bits << 8));
                case S8 -> (byte) bits;
                case U8 -> bits & 0xff;
            };
        }

        private static float e4m3(int bits) {
            int exponent = bits >> 3 & 15;
            int mantissa = bits & 7;
            float magnitude = exponent == 15 && mantissa == 7 ? Float.NaN
                    : exponent == 0 ? Math.scalb((float) mantissa, -9) : Math.scalb(8f + mantissa, exponent - 10);
            return (bits & 0x80) != 0 ? -magnitude : magnitude;
        }
    }

    private final int start;
    private final int leading;
    private final int stride;
    private final int base;
    private final int bits;
    private final Element type;
    private final boolean across;

    /** @param across whether lines run fastest, and not k */
    WarpgroupMatrix(long descriptor, Element type, boolean across) {
        this.start = field(descriptor, 0);
        this.leading = field(descriptor, 16);
        this.stride = field(descriptor, 32);
        this.base = (int) (descriptor >>> 49) & 7;
        this.bits = PATTERN_BITS[(int) (descriptor >>> 62)];
        this.type = type;
        this.across = across;
    }

    private static int field(long descriptor, int shift) {
        return (int) (descriptor >>> shift & 0x3fff) << 4;
    }

    /** Chunks of the lines {@code [0, lines)}. */
    int chunks(int lines) {
        return lines * DEPTH_BYTES / CHUNK;
    }

    /** Shared address of a chunk of the lines {@code [from, from + lines)}. */
    int address(int chunk, int from, int lines) {
        int at;
        if (across) {
            int perK = lines * type.bytes / CHUNK;
            int k = chunk / perK;
            int c = chunk % perK + from * type.bytes / CHUNK;
            at = bits == 0 ? c * stride + k % GROUP * CHUNK + k / GROUP * leading
                    : (c & (1 << bits) - 1) * CHUNK + (c >> bits) * leading + k % GROUP * (CHUNK << bits)
                    + k / GROUP * stride;
        } else {
            int line = chunk / 2 + from;
            at = line / GROUP * stride + line % GROUP * (CHUNK << bits) + (chunk & 1) * (bits == 0 ? leading : CHUNK);
        }
        int address = start + at;
        return address ^ ((address >> 7) - base & (1 << bits) - 1) << 4;
    }

    /** Faults unless the lines {@code [from, from + lines)} lie in the block's shared memory. */
    void check(Warp w, int site, String name, int from, int lines) {
        int limit = w.block.shared().bytes - CHUNK;
        for (int i = 0; i < chunks(lines); i++) {
            if (address(i, from, lines) > limit) {
                throw w.block.fault(Kind.OUT_OF_BOUNDS, site, w, 0, ("matrix %s reaches to shared address %d, the block"
                        + " has %d bytes").formatted(name, address(i, from, lines) + CHUNK, limit + CHUNK));
            }
        }
    }

    /**
     * Reads the lines {@code [from, from + lines)}: element k of a line goes to {@code line * lineStep + k * kStep} of
     * {@code to}, lines counted from 0.
     */
    void read(int[] words, int from, int lines, float[] to, int lineStep, int kStep) {
        int perChunk = CHUNK / type.bytes;
        int perWord = perChunk / 4;
        int bitsOfOne = 8 * type.bytes;
        int perK = across ? lines / perChunk : 0;
        for (int chunk = 0; chunk < chunks(lines); chunk++) {
            int word = address(chunk, from, lines) >> 2;
            int at = across ? chunk % perK * perChunk * lineStep + chunk / perK * kStep
                    : chunk / 2 * lineStep + (chunk & 1) * perChunk * kStep;
            int step = across ? lineStep : kStep;
            for (int i = 0; i < 4; i++) {
                int packed = words[word + i];
                if (type == Element.BF16) {
                    to[at] = Float.intBitsToFloat(packed << 16);
                    to[at + step] = Float.intBitsToFloat(packed & 0xffff0000);
                    at += 2 * step;
                    continue;
                }
                if (type.bytes == 1) {
                    to[at] = type.ofByte[packed & 0xff];
                    to[at + step] = type.ofByte[packed >>> 8 & 0xff];
                    to[at + 2 * step] = type.ofByte[packed >>> 16 & 0xff];
                    to[at + 3 * step] = type.ofByte[packed >>> 24];
                    at += 4 * step;
                    continue;
                }
                for (int j = 0; j < perWord; j++) {
                    to[at] = type.value(packed >>> bitsOfOne * j);
                    at += step;
                }
            }
        }
    }
}
