package jdiffusion.tensor.gguf;

import java.util.Map;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.DType;

/** The numbers that GGUF gives to types of elements ({@code enum ggml_type}). */
public final class GgmlType {
    private static final Map<Integer, DType> PLAIN = Map.of(0, DType.F32, 1, DType.F16, 24, DType.I8, 25, DType.I16,
            26, DType.I32, 27, DType.I64, 28, DType.F64, 30, DType.BF16);
    /** Those that nothing here reads. */
    private static final Map<Integer, String> OTHERS = Map.ofEntries(Map.entry(4, "Q4_2"), Map.entry(5, "Q4_3"),
            Map.entry(9, "Q8_1"), Map.entry(15, "Q8_K"), Map.entry(16, "IQ2_XXS"), Map.entry(17, "IQ2_XS"),
            Map.entry(18, "IQ3_XXS"), Map.entry(19, "IQ1_S"), Map.entry(20, "IQ4_NL"), Map.entry(21, "IQ3_S"),
            Map.entry(22, "IQ2_S"), Map.entry(23, "IQ4_XS"), Map.entry(29, "IQ1_M"), Map.entry(31, "Q4_0_4_4"),
            Map.entry(32, "Q4_0_4_8"), Map.entry(33, "Q4_0_8_8"), Map.entry(34, "TQ1_0"), Map.entry(35, "TQ2_0"),
            Map.entry(36, "IQ4_NL_4_4"), Map.entry(37, "IQ4_NL_4_8"), Map.entry(38, "IQ4_NL_8_8"),
            Map.entry(39, "MXFP4"), Map.entry(40, "NVFP4"), Map.entry(41, "Q1_0"));

    private GgmlType() {
    }

    /** The type of elements that are stored one by one; null when the number is none of these. */
    static DType plain(int number) {
        return PLAIN.get(number);
    }

    /**
     * The number of a type.
     *
     * @throws IllegalArgumentException when GGUF has none for it, as for the 8-bit floating-point types
     */
    public static int of(DType type) {
        return PLAIN.entrySet().stream().filter(entry -> entry.getValue() == type).findAny()
                .orElseThrow(() -> new IllegalArgumentException("GGUF has no type " + type)).getKey();
    }

    /** Such as {@code Q4_K}, or {@code type 77} where nothing here knows the number. */
    static String name(int number) {
        BlockFormat blocks = BlockFormat.of(number);
        DType plain = plain(number);
        return blocks != null ? blocks.name() : plain != null ? plain.name()
                : OTHERS.getOrDefault(number, "type " + Integer.toUnsignedString(number));
    }
}
