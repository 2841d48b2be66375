package jdiffusion.tensor;

import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/**
 * The parts of one matrix that bitsandbytes stored in 4 bits, by the names that its {@code QuantState.as_dict} gives
 * them: beside {@code w} itself, which holds the codes, {@code w.quant_state.bitsandbytes__nf4} (or {@code __fp4}), a
 * JSON text as bytes, {@code w.absmax}, {@code w.quant_map} and, when the scales are quantised in turn,
 * {@code w.nested_absmax} and {@code w.nested_quant_map}.
 */
final class FourBitReader {
    private static final String STATE = ".quant_state.bitsandbytes__";
    private static final List<String> KINDS = List.of("nf4", "fp4");
    private static final List<String> PARTS =
            List.of(".nested_absmax", ".nested_quant_map", ".absmax", ".quant_map");
    private static final int LARGEST_STATE = 4096;
    private static final int LARGEST_NESTED_BLOCK = 1 << 20;

    private final String name;
    private final State state;

    /** Fetches a part that must have a type (null: any, the codes' own) and a size; null after a fault. */
    interface Parts {
        Tensor take(String name, DType type, long size);
    }

    /**
     * What the JSON says.
     *
     * @param nestedBlock  scales in a nested block; 0 when they are not quantised
     * @param nestedOffset what is added to every scale that was quantised
     */
    private record State(int block, Shape shape, int nestedBlock, float nestedOffset) {
    }

    private FourBitReader(String name, State state) {
        this.name = name;
        this.state = state;
    }

    /**
     * A reader of the matrix of that name; null when the source does not have it in 4 bits.
     *
     * @throws InputException when the quantisation state cannot be read
     */
    static FourBitReader of(TensorSource source, String name) {
        for (String kind : KINDS) {
            String stateName = name + STATE + kind;
            Tensor bytes = source.find(stateName);
            if (bytes != null) {
                return new FourBitReader(name, parse(source.origin(), stateName, kind, bytes));
            }
        }
        return null;
    }

    /** The matrix that a tensor of this name would be a part of; null when it has no part's name. */
    static String owner(String name) {
        for (String part : PARTS) {
            if (name.endsWith(part)) {
                return name.substring(0, name.length() - part.length());
            }
        }
        int state = name.indexOf(STATE);
        return state < 0 ? null : name.substring(0, state);
    }

    static boolean isQuantised(Set<String> names, String matrix) {
        return KINDS.stream().anyMatch(kind -> names.contains(matrix + STATE + kind));
    }

    /** The matrix's shape before it was quantised. */
    Shape shape() {
        return state.shape;
    }

    /** Takes every part; null when one had a fault. */
    FourBitWeight read(Parts parts) {
        long size = state.shape.size();
        long blocks = Math.ceilDiv(size, state.block);
        boolean isNested = state.nestedBlock > 0;
        Tensor codes = parts.take(name, null, Math.ceilDiv(size, 2));
        Tensor map = parts.take(name + ".quant_map", DType.F32, FourBitWeight.VALUES);
        Tensor absmax = parts.take(name + ".absmax", isNested ? DType.U8 : DType.F32, blocks);
        Tensor nestedAbsmax = null;
        Tensor nestedMap = null;
        if (isNested) {
            long nestedBlocks = Math.ceilDiv(blocks, state.nestedBlock);
            nestedAbsmax = parts.take(name + ".nested_absmax", DType.F32, nestedBlocks);
            nestedMap = parts.take(name + ".nested_quant_map", DType.F32, FourBitWeight.Nested.VALUES);
        }
        if (codes == null || map == null || absmax == null || isNested && (nestedAbsmax == null || nestedMap == null)) {
            return null;
        }
        FourBitWeight.Nested nested = !isNested ? null
                : new FourBitWeight.Nested(state.nestedBlock, nestedAbsmax, nestedMap, state.nestedOffset);
        return new FourBitWeight(state.shape.dim(0), state.shape.dim(1), codes, map, state.block, absmax, nested);
    }

    private static State parse(String origin, String stateName, String kind, Tensor bytes) {
        String shown = origin + ": the quantisation state " + InputException.shown(stateName);
        if (bytes.type() != DType.U8 || bytes.shape().size() > LARGEST_STATE) {
            throw new InputException(shown + " is " + bytes.type() + bytes.shape() + ", not up to " + LARGEST_STATE
                    + " bytes (U8) of JSON; convert the file again with bitsandbytes");
        }
        byte[] text = bytes.data().asSlice(0, bytes.byteSize()).toArray(ValueLayout.JAVA_BYTE);
        return new Parser(new JsonInput(shown, text)).parse(kind);
    }

    private static final class Parser {
        private final JsonInput json;
        private Shape shape;
        private String kind;
        private long block;
        private long nestedBlock;
        private String nestedType;
        private Float nestedOffset;

        Parser(JsonInput json) {
            this.json = json;
        }

        State parse(String expectedKind) {
            json.object("it");
            for (String field = json.field(); field != null; field = json.field()) {
                switch (field) {
                    case "quant_type" -> kind = json.string(field);
                    case "blocksize" -> block = json.whole(field);
                    case "shape" -> shape = shape(json.numbers(field, 2));
                    case "nested_blocksize" -> nestedBlock = json.whole(field);
                    case "nested_dtype" -> nestedType = json.string(field);
                    case "nested_offset" -> nestedOffset = json.real(field);
                    default -> json.skip();
                }
            }
            json.end();
            if (shape == null || !expectedKind.equals(kind)) {
                throw json.fault("it needs a shape and the quant_type " + expectedKind);
            }
            checkPower("blocksize", block, FourBitWeight.LEAST_BLOCK, FourBitWeight.LARGEST_BLOCK);
            boolean nested = nestedBlock > 0 || nestedType != null || nestedOffset != null;
            if (nested) {
                checkPower("nested_blocksize", nestedBlock, 1, LARGEST_NESTED_BLOCK);
                if (!"float32".equals(nestedType) || nestedOffset == null) {
                    throw json.fault("with a nested_blocksize it needs a nested_offset and the nested_dtype float32");
                }
            }
            return new State((int) block, shape, (int) nestedBlock, nested ? nestedOffset : 0);
        }

        private void checkPower(String what, long value, int least, int most) {
            if (value < least || value > most || Long.bitCount(value) != 1) {
                throw json.fault(what + " is " + value + ", not a power of two from " + least + " to " + most);
            }
        }

        private Shape shape(long[] sizes) {
            if (sizes.length == 2 && sizes[0] <= Integer.MAX_VALUE && sizes[1] <= Integer.MAX_VALUE
                    && sizes[0] * sizes[1] <= Integer.MAX_VALUE * 2L) {
                return Shape.of((int) sizes[0], (int) sizes[1]);
            }
            throw json.fault("shape is " + Arrays.toString(sizes)
                    + ", not that of a matrix of up to 2^32 - 2 elements");
        }
    }
}
