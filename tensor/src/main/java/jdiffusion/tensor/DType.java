package jdiffusion.tensor;

import java.util.Locale;
import java.util.Map;

/**
 * How a number is stored. Storage only: whatever the type, kernels accumulate in float32.
 *
 * <p>The names are those of the safetensors format, so that {@link #of(String)} reads a header field.
 */
public enum DType {
    F64(8), F32(4), F16(2), BF16(2), F8_E4M3(1), F8_E5M2(1), I64(8), I32(4), I16(2), I8(1), U8(1), BOOL(1), U64(8),
    U32(4), U16(2);

    private static final Map<String, DType> OTHER_NAMES = Map.ofEntries(Map.entry("FLOAT64", F64),
            Map.entry("DOUBLE", F64), Map.entry("FLOAT32", F32), Map.entry("FLOAT", F32), Map.entry("FLOAT16", F16),
            Map.entry("HALF", F16), Map.entry("BFLOAT16", BF16), Map.entry("FLOAT8_E4M3FN", F8_E4M3),
            Map.entry("F8_E4M3FN", F8_E4M3), Map.entry("FLOAT8_E5M2", F8_E5M2), Map.entry("INT64", I64),
            Map.entry("INT32", I32), Map.entry("INT16", I16), Map.entry("INT8", I8), Map.entry("UINT8", U8),
            Map.entry("UINT16", U16), Map.entry("UINT32", U32), Map.entry("UINT64", U64));
    private static final String TORCH = "TORCH.";

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /** Size of one element in bytes. */
    public int bytes() {
        return bytes;
    }

    /** True for the types that a kernel can widen to float32 without loss. */
    public boolean isFloat() {
        return switch (this) {
            case F32, F16, BF16, F8_E4M3, F8_E5M2 -> true;
            default -> false;
        };
    }

    /**
     * Bits of the significand of a number, the one before the point included.
     *
     * @throws IllegalArgumentException when this is no {@link #isFloat}
     */
    public int significantBits() {
        return switch (this) {
            case F32 -> 24;
            case F16 -> 11;
            case BF16 -> 8;
            case F8_E4M3 -> 4;
            case F8_E5M2 -> 3;
            default -> throw new IllegalArgumentException(this + " is no floating-point type of kernels");
        };
    }

    public boolean isFloat8() {
        return this == F8_E4M3 || this == F8_E5M2;
    }

    /** The type of that name, in any case or as PyTorch writes it; null when there is none. */
    public static DType of(String name) {
        String upper = name.toUpperCase(Locale.ROOT);
        String plain = upper.startsWith(TORCH) ? upper.substring(TORCH.length()) : upper;
        for (DType type : values()) {
            if (type.name().equals(plain)) {
                return type;
            }
        }
        return OTHER_NAMES.get(plain);
    }
}
