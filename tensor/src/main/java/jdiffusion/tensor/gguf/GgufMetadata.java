package jdiffusion.tensor.gguf;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import jdiffusion.tensor.InputException;

/**
 * What a GGUF file says about itself. Floating-point numbers, arrays of anything but integers, and long arrays
 * are read over: they belong to language models and to vocabularies. Of arrays it is kept where they lie.
 *
 * @param texts   by key
 * @param numbers integers and truth values (0 or 1) by key
 * @param lists   short arrays of integers by key
 * @param arrays  position of every array in the file, by key
 */
record GgufMetadata(Map<String, String> texts, Map<String, Long> numbers, Map<String, long[]> lists,
                    Map<String, Long> arrays) {
    static final String ALIGNMENT = "general.alignment";
    private static final int MOST_KEPT = 64;
    private static final int MOST_NESTED = 8;
    /** Elements of an array that is asked for; the largest known vocabularies have a quarter. */
    private static final int MOST_TEXTS = 1 << 20;
    private static final int MOST_NUMBERS = 1 << 22;
    /** An empty key, a type and a byte. */
    private static final int LEAST_ENTRY = 13;

    /** The numbers that values of each type have in a file; arrays have one type for all elements. */
    private enum Type {
        UINT8(1), INT8(1), UINT16(2), INT16(2), UINT32(4), INT32(4), FLOAT32(4), BOOL(1), STRING(8), ARRAY(12),
        UINT64(8), INT64(8), FLOAT64(8);

        private final int leastBytes;

        Type(int leastBytes) {
            this.leastBytes = leastBytes;
        }

        boolean isNumber() {
            return this != STRING && this != ARRAY && this != FLOAT32 && this != FLOAT64;
        }
    }

    static GgufMetadata read(GgufInput in) {
        GgufMetadata metadata = new GgufMetadata(new TreeMap<>(), new TreeMap<>(), new TreeMap<>(),
                new TreeMap<>());
        Set<String> keys = new HashSet<>();
        int count = in.keptCount(LEAST_ENTRY, "metadata entries");
        for (int i = 0; i < count; i++) {
            String key = in.text("a key of the metadata");
            String what = "the metadata " + InputException.shown(key);
            if (!keys.add(key)) {
                throw in.fault(what + " is there twice");
            }
            metadata.readValue(in, key, what);
        }
        metadata.checkAlignment(in);
        return metadata;
    }

    private void readValue(GgufInput in, String key, String what) {
        Type type = type(in, what);
        switch (type) {
            case STRING -> texts.put(key, in.text(what));
            case ARRAY -> {
                arrays.put(key, in.position());
                long[] list = array(in, what, 1);
                if (list != null) {
                    lists.put(key, list);
                }
            }
            case FLOAT32, FLOAT64 -> in.skip(type.leastBytes, what);
            default -> numbers.put(key, number(in, type, what));
        }
    }

    private static Type type(GgufInput in, String what) {
        int type = in.int32("the type of " + what);
        if (type < 0 || type >= Type.values().length) {
            throw in.fault(what + " is of type " + Integer.toUnsignedString(type) + ", but the format has "
                    + Type.values().length + " types");
        }
        return Type.values()[type];
    }

    /** The integers of a short array, else null. */
    private static long[] array(GgufInput in, String what, int depth) {
        Type type = type(in, what);
        if (depth > MOST_NESTED) {
            throw in.fault(what + " has arrays in arrays, more than " + MOST_NESTED + " deep");
        }
        long count = in.count(type.leastBytes, "elements of " + what);
        long[] kept = type.isNumber() && count <= MOST_KEPT ? new long[(int) count] : null;
        if (type != Type.STRING && type != Type.ARRAY && kept == null) {
            in.skip(count * type.leastBytes, what);
            return null;
        }
        for (int i = 0; i < count; i++) {
            switch (type) {
                case STRING -> in.skipText(what);
                case ARRAY -> array(in, what, depth + 1);
                default -> kept[i] = number(in, type, what);
            }
        }
        return kept;
    }

    /** The texts of the array that lies at the input's position; null when it has anything else. */
    static List<String> textArray(GgufInput in, String what) {
        if (type(in, what) != Type.STRING) {
            return null;
        }
        int count = count(in, Type.STRING, MOST_TEXTS, what);
        List<String> texts = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            texts.add(in.text(what));
        }
        return texts;
    }

    /** The numbers, of any type, of the array that lies at the input's position; null when it has anything else. */
    static double[] numberArray(GgufInput in, String what) {
        Type type = type(in, what);
        if (type == Type.STRING || type == Type.ARRAY) {
            return null;
        }
        double[] numbers = new double[count(in, type, MOST_NUMBERS, what)];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = switch (type) {
                case FLOAT32 -> Float.intBitsToFloat(in.int32(what));
                case FLOAT64 -> Double.longBitsToDouble(in.int64(what));
                default -> number(in, type, what);
            };
        }
        return numbers;
    }

    private static int count(GgufInput in, Type type, int most, String what) {
        long count = in.count(type.leastBytes, "elements of " + what);
        if (count > most) {
            throw in.fault(what + " has " + count + " elements, more than " + most);
        }
        return (int) count;
    }

    private static long number(GgufInput in, Type type, String what) {
        return switch (type) {
            case UINT8, BOOL -> in.int8(what) & 0xff;
            case INT8 -> in.int8(what);
            case UINT16 -> in.int16(what) & 0xffff;
            case INT16 -> in.int16(what);
            case UINT32 -> in.int32(what) & 0xffffffffL;
            case INT32 -> in.int32(what);
            default -> in.int64(what);
        };
    }

    private void checkAlignment(GgufInput in) {
        boolean other = texts.containsKey(ALIGNMENT) || lists.containsKey(ALIGNMENT);
        long alignment = numbers.getOrDefault(ALIGNMENT, (long) GgufHeader.DEFAULT_ALIGNMENT);
        if (other || alignment < 1 || alignment > GgufInput.LARGEST || Long.bitCount(alignment) != 1) {
            throw in.fault("its alignment (" + ALIGNMENT + ") is " + (other ? "no number" : alignment)
                    + ", not a power of two up to " + GgufInput.LARGEST);
        }
    }

    /** Tensors begin at multiples of this. */
    int alignment() {
        return Math.toIntExact(numbers.getOrDefault(ALIGNMENT, (long) GgufHeader.DEFAULT_ALIGNMENT));
    }
}
