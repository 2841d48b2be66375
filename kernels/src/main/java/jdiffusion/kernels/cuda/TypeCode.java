package jdiffusion.kernels.cuda;

import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;

/** The numbers by which kernels know storage types: {@code enum Type} of {@code device.cuh}. */
public final class TypeCode {
    private TypeCode() {
    }

    public static int of(DType type) {
        return switch (type) {
            case F32 -> 0;
            case BF16 -> 1;
            case F16 -> 2;
            case F8_E4M3 -> 3;
            case F8_E5M2 -> 4;
            case I32 -> 5;
            default -> throw new IllegalArgumentException("no kernel reads elements of type " + type);
        };
    }

    /** The code of a parameter's type; 0 when there is no parameter. */
    public static int of(Tensor tensorOrNull) {
        return tensorOrNull == null ? 0 : of(tensorOrNull.type());
    }
}
