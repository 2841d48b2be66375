package jdiffusion.emulator.ptx;

/** The type suffix of a PTX instruction, register or variable. */
public enum Type {
    PRED(1), B8(8), U8(8), S8(8), B16(16), U16(16), S16(16), F16(16), BF16(16), B32(32), U32(32), S32(32), F32(32),
    F16X2(32), BF16X2(32), B64(64), U64(64), S64(64), F64(64), F32X2(64);

    private final int bits;

    Type(int bits) {
        this.bits = bits;
    }

    /** Width in bits; 1 for a predicate. */
    public int bits() {
        return bits;
    }

    /** Width in memory in bytes. */
    public int bytes() {
        return Math.max(1, bits / 8);
    }

    public boolean isSigned() {
        return this == S8 || this == S16 || this == S32 || this == S64;
    }

    /** True for one floating-point number; packed pairs are not meant. */
    public boolean isFloat() {
        return this == F16 || this == BF16 || this == F32 || this == F64;
    }

    /** The type of a suffix without its dot, or null. */
    public static Type of(String suffix) {
        for (Type type : values()) {
            if (type.name().equalsIgnoreCase(suffix)) {
                return type;
            }
        }
        return null;
    }
}
