package jdiffusion.emulator.exec;

/** Types of the elements of a warp's matrices, with the number of them in a register. */
enum Element {
    F16(2), BF16(2), TF32(1), S8(4), U8(4), F32(1), S32(1), S4(8), U4(8), E4M3(4), E5M2(4),
    /** Of bits 32 are one element: a product of two counts those of their XOR, or AND. */
    B1(1),
    /** In registers of 64 bits. */
    F64(1);

    private final int perRegister;

    Element(int perRegister) {
        this.perRegister = perRegister;
    }

    /** The type that a modifier names; null for none. */
    static Element of(String modifier) {
        for (Element element : values()) {
            if (element.name().equalsIgnoreCase(modifier)) {
                return element;
            }
        }
        return null;
    }

    int perRegister() {
        return perRegister;
    }

    int bits() {
        return this == F64 ? Double.SIZE : Integer.SIZE / perRegister;
    }

    boolean isInteger() {
        return this == S8 || this == U8 || this == S4 || this == U4 || this == B1 || this == S32;
    }

    /** How many numbers along k an element stands for. */
    int depth() {
        return this == B1 ? Integer.SIZE : 1;
    }

    /** The value of these bits, or of their lowest; not of F64. */
    double value(int bits) {
        return switch (this) {
            case F16 -> Float.float16ToFloat((short) bits);
            case BF16 -> Float.intBitsToFloat(bits << 16);
            case TF32 -> Float.intBitsToFloat(bits & -1 << 13);
            case S8 -> (byte) bits;
            case U8 -> bits & 0xff;
            case S4 -> bits << 28 >> 28;
            case U4 -> bits & 0xf;
            case E4M3 -> Float8.values(false)[bits & 0xff];
            case E5M2 -> Float8.values(true)[bits & 0xff];
            case F32 -> Float.intBitsToFloat(bits);
            case S32, B1 -> bits;
            case F64 -> throw new IllegalStateException("a double has 64 bits");
        };
    }
}
