package jdiffusion.lab;

import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.LongToDoubleFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Makes arrays from what stands in a launch: a file, or a call such as {@code rand(64x32, f16)}. */
final class ArraySource {
    private static final Pattern CALL = Pattern.compile("(\\w+)\\((.*)\\)");
    private static final Map<String, Integer> VALUES = Map.of("zeros", 0, "ones", 0, "rand", 0, "range", 0, "full", 1);

    private ArraySource() {}

    /** @param seed of {@code rand}, whose numbers are evenly spread from 0 to 1, or over 0 to 99 for integers */
    static HostArray make(String source, long seed, Arena arena) {
        Matcher call = CALL.matcher(source);
        if (!call.matches()) {
            return Npy.read(Path.of(source), arena);
        }
        String function = call.group(1);
        Integer values = VALUES.get(function);
        if (values == null) {
            throw LabException.misuse("'" + source + "': arrays are made by zeros(n), ones(n), rand(n), range(n) or"
                    + " full(n, value)");
        }
        List<String> arguments = LaunchParser.split(call.group(2));
        DataType type = arguments.isEmpty() ? null : DataType.named(arguments.getLast());
        int given = arguments.size() - (type == null ? 0 : 1);
        if (given != 1 + values) {
            throw LabException.misuse("'" + source + "': write " + function + "(SHAPE" + (values > 0 ? ", VALUE" : "")
                    + ") or " + function + "(SHAPE" + (values > 0 ? ", VALUE" : "") + ", TYPE); types are "
                    + DataType.names());
        }
        HostArray array = HostArray.zeros(type == null ? DataType.F32 : type, shape(arguments.getFirst(), source),
                arena);
        double value = values == 0 ? 0 : number(arguments.get(1), source);
        fill(array, switch (function) {
            case "ones" -> _ -> 1;
            case "full" -> _ -> value;
            case "range" -> i -> i;
            case "rand" -> random(array.type(), seed);
            default -> _ -> 0;
        });
        return array;
    }

    private static void fill(HostArray array, LongToDoubleFunction values) {
        for (long i = 0; i < array.count(); i++) {
            array.type().set(array.data(), i, values.applyAsDouble(i));
        }
    }

    private static LongToDoubleFunction random(DataType type, long seed) {
        var random = new SplittableRandom(seed);
        return type.isFloat() ? _ -> random.nextDouble() : _ -> random.nextInt(100);
    }

    private static long[] shape(String text, String source) {
        String[] lengths = text.split("[x*]");
        long[] shape = new long[lengths.length];
        for (int i = 0; i < shape.length; i++) {
            try {
                shape[i] = Long.parseLong(lengths[i].strip());
            } catch (NumberFormatException e) {
                throw LabException.misuse("'" + source + "': '" + text + "' is no shape; write 1024 or 64x32", e);
            }
        }
        return shape;
    }

    private static double number(String text, String source) {
        try {
            return Double.parseDouble(text);
        } catch (NumberFormatException e) {
            throw LabException.misuse("'" + source + "': '" + text + "' is no number", e);
        }
    }
}
