package jdiffusion.tensor;

/**
 * How a number is stored. Storage only: whatever the type, kernels accumulate in float32.
 *
 * <p>The names are those of the safetensors format, so that {@link #of(String)} reads a header field.
 */
public enum DType {
    F64(8), F32(4), F16(2), BF16(2), F8_E4M3(1), F8_E5M2(1), I64(8), I32(4), I16(2), I8(1), U8(1), BOOL(1);

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

    /** The type of that name, or null when there is none. */
    public static DType of(String name) {
        for (DType type : values()) {
            if (type.name().equals(name)) {
                return type;
            }
        }
        return null;
    }
}
