package jdiffusion.lab;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** What the elements of an array are. */
enum DataType {
    F32("<f4", 4), F64("<f8", 8), F16("<f2", 2), BF16(null, 2), I8("|i1", 1), U8("|u1", 1), I16("<i2", 2),
    U16("<u2", 2), I32("<i4", 4), U32("<u4", 4), I64("<i8", 8), U64("<u8", 8);

    private final String descriptor;
    private final int bytes;

    DataType(String descriptor, int bytes) {
        this.descriptor = descriptor;
        this.bytes = bytes;
    }

    /** How an npy file names the type; null for bfloat16, which npy does not have. */
    String descriptor() {
        return descriptor;
    }

    int bytes() {
        return bytes;
    }

    boolean isFloat() {
        return this == F32 || this == F64 || this == F16 || this == BF16;
    }

    /** The type of that name, or null. */
    static DataType named(String name) {
        return Arrays.stream(values()).filter(t -> t.label().equals(name)).findFirst().orElse(null);
    }

    static String names() {
        return Arrays.stream(values()).map(DataType::label).collect(Collectors.joining(", "));
    }

    String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** An element as a number; integers beyond 2^53 are rounded. */
    double get(MemorySegment data, long index) {
        long at = index * bytes;
        return switch (this) {
            case F32 -> data.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at);
            case F64 -> data.get(ValueLayout.JAVA_DOUBLE_UNALIGNED, at);
            case F16 -> Float.float16ToFloat(data.get(ValueLayout.JAVA_SHORT_UNALIGNED, at));
            case BF16 -> Float.intBitsToFloat(data.get(ValueLayout.JAVA_SHORT_UNALIGNED, at) << 16);
            case I8 -> data.get(ValueLayout.JAVA_BYTE, at);
            case U8 -> data.get(ValueLayout.JAVA_BYTE, at) & 0xff;
            case I16 -> data.get(ValueLayout.JAVA_SHORT_UNALIGNED, at);
            case U16 -> data.get(ValueLayout.JAVA_SHORT_UNALIGNED, at) & 0xffff;
            case I32 -> data.get(ValueLayout.JAVA_INT_UNALIGNED, at);
            case U32 -> data.get(ValueLayout.JAVA_INT_UNALIGNED, at) & 0xffffffffL;
            case I64 -> data.get(ValueLayout.JAVA_LONG_UNALIGNED, at);
            case U64 -> {
                long value = data.get(ValueLayout.JAVA_LONG_UNALIGNED, at);
                yield value >= 0 ? value : (value >>> 1) * 2.0;
            }
        };
    }

    /** Stores a number: rounded to the nearest float, cut to a whole number and to the width for integers. */
    void set(MemorySegment data, long index, double value) {
        long at = index * bytes;
        switch (this) {
            case F32 -> data.set(ValueLayout.JAVA_FLOAT_UNALIGNED, at, (float) value);
            case F64 -> data.set(ValueLayout.JAVA_DOUBLE_UNALIGNED, at, value);
            case F16 -> data.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, Float.floatToFloat16((float) value));
            case BF16 -> data.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, bfloat16((float) value));
            case I8, U8 -> data.set(ValueLayout.JAVA_BYTE, at, (byte) (long) value);
            case I16, U16 -> data.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, (short) (long) value);
            case I32, U32 -> data.set(ValueLayout.JAVA_INT_UNALIGNED, at, (int) (long) value);
            case I64, U64 -> data.set(ValueLayout.JAVA_LONG_UNALIGNED, at, (long) value);
        }
    }

    private static short bfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) (bits >> 16 | 0x40);
        }
        return (short) (bits + 0x7fff + (bits >> 16 & 1) >> 16);
    }
}
