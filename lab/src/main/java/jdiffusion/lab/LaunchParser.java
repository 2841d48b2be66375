package jdiffusion.lab;

import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.emulator.Dim3;
import jdiffusion.lab.Argument.Direction;

/**
 * Reads a launch such as {@code saxpy<<<64,256>>>(16384, 2.0, in:x.npy, inout:y=zeros(16384))}.
 *
 * <p>Grid and block are numbers or {@code (x,y,z)}; the third value is dynamic shared memory in bytes, or in KiB with
 * {@code K} behind it. {@code cluster=4} or {@code cluster=(2,2)} behind them is the size of thread block clusters.
 */
final class LaunchParser {
    private static final Pattern WHOLE = Pattern.compile("\\s*([\\w$.:]+)\\s*<<<(.*)>>>\\s*\\((.*)\\)\\s*;?\\s*",
            Pattern.DOTALL);
    private static final Pattern NUMBER =
            Pattern.compile("[-+]?(0[xX][0-9a-fA-F]+|[0-9]*\\.?[0-9]+\\.?([eE][-+]?[0-9]+)?f?|inf|nan)");
    private static final Pattern CAST = Pattern.compile("(\\w+)\\((" + NUMBER.pattern() + ")\\)");
    private static final Pattern CLUSTER = Pattern.compile("cluster\\s*=\\s*(.+)");
    private static final Pattern NAMED = Pattern.compile("(\\w+)\\s*=\\s*(.+)");

    private final String text;

    private LaunchParser(String text) {
        this.text = text;
    }

    /** @throws LabException when the text is no launch */
    static Launch parse(String text) {
        return new LaunchParser(text).parse();
    }

    private Launch parse() {
        Matcher matcher = WHOLE.matcher(text);
        if (!matcher.matches()) {
            throw wrong("a launch looks like 'saxpy<<<64,256>>>(16384, 2.0, in:x.npy, inout:y.npy)'");
        }
        List<String> shape = split(matcher.group(2));
        Matcher clusters = CLUSTER.matcher(shape.isEmpty() ? "" : shape.getLast());
        Dim3 cluster = clusters.matches() ? size(clusters.group(1)) : null;
        shape = cluster == null ? shape : shape.subList(0, shape.size() - 1);
        if (shape.size() < 2 || shape.size() > 3) {
            throw wrong("between <<< and >>> stand grid, block and, where used, bytes of dynamic shared memory and"
                    + " cluster=N");
        }
        var arguments = new ArrayList<Argument>();
        for (String argument : split(matcher.group(3))) {
            arguments.add(argument(argument));
        }
        return new Launch(text.strip(), matcher.group(1), size(shape.get(0)), size(shape.get(1)), cluster,
                shape.size() < 3 ? 0 : shared(shape.get(2)), List.copyOf(arguments));
    }

    private LabException wrong(String why) {
        return LabException.misuse("launch '" + text.strip() + "': " + why);
    }

    /** Splits at commas outside brackets. */
    static List<String> split(String list) {
        var parts = new ArrayList<String>();
        int depth = 0;
        int from = 0;
        for (int i = 0; i < list.length(); i++) {
            char c = list.charAt(i);
            depth += c == '(' ? 1 : c == ')' ? -1 : 0;
            if (c == ',' && depth == 0) {
                parts.add(list.substring(from, i).strip());
                from = i + 1;
            }
        }
        String last = list.substring(from).strip();
        if (!last.isEmpty() || !parts.isEmpty()) {
            parts.add(last);
        }
        return parts;
    }

    private Dim3 size(String written) {
        String inner = written.startsWith("(") && written.endsWith(")")
                ? written.substring(1, written.length() - 1) : written;
        List<String> parts = split(inner);
        if (parts.isEmpty() || parts.size() > 3) {
            throw wrong("'" + written + "' is no size; write 64 or (2,3,4)");
        }
        int[] xyz = {1, 1, 1};
        for (int i = 0; i < parts.size(); i++) {
            xyz[i] = positive(parts.get(i), written);
        }
        return new Dim3(xyz[0], xyz[1], xyz[2]);
    }

    private int positive(String number, String within) {
        try {
            int value = Integer.parseInt(number);
            if (value > 0) {
                return value;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw wrong("'" + number + "' in '" + within + "' is no number from 1 on");
    }

    private int shared(String written) {
        boolean kibi = written.toUpperCase(Locale.ROOT).endsWith("K");
        String digits = kibi ? written.substring(0, written.length() - 1) : written;
        try {
            int value = Math.multiplyExact(Integer.parseInt(digits), kibi ? 1024 : 1);
            if (value >= 0 && value <= 227 << 10) {
                return value;
            }
        } catch (NumberFormatException | ArithmeticException e) {
            // said below
        }
        throw wrong("'" + written + "' bytes of dynamic shared memory: 0 to 227K");
    }

    private Argument argument(String written) {
        if (NUMBER.matcher(written).matches()) {
            return new Argument.Number(written, null);
        }
        Matcher cast = CAST.matcher(written);
        if (cast.matches() && DataType.named(cast.group(1)) != null) {
            return new Argument.Number(cast.group(2), DataType.named(cast.group(1)));
        }
        if (written.startsWith("bytes(") && written.endsWith(")")) {
            try {
                return new Argument.Bytes(HexFormat.of().parseHex(
                        written.substring(6, written.length() - 1).replaceAll("[\\s_]", "")));
            } catch (IllegalArgumentException e) {
                throw wrong("'" + written + "': bytes are pairs of hexadecimal digits");
            }
        }
        return array(written);
    }

    private Argument array(String written) {
        Direction direction = Direction.INOUT;
        String rest = written;
        for (Direction one : Direction.values()) {
            String prefix = one.name().toLowerCase(Locale.ROOT) + ":";
            if (written.startsWith(prefix)) {
                direction = one;
                rest = written.substring(prefix.length()).strip();
            }
        }
        Matcher named = NAMED.matcher(rest);
        if (named.matches()) {
            return new Argument.Array(named.group(1), direction, named.group(2));
        }
        if (rest.endsWith(".npy")) {
            String file = rest.substring(Math.max(rest.lastIndexOf('/'), rest.lastIndexOf('\\')) + 1);
            return new Argument.Array(file.substring(0, file.length() - 4), direction, rest);
        }
        if (rest.matches("\\w+")) {
            return new Argument.Array(rest, direction, null);
        }
        if (rest.matches("\\w+\\(.*\\)")) {
            return new Argument.Array("", direction, rest);
        }
        throw wrong("'" + written + "' is no argument; give a number, in:x.npy, inout:y=zeros(16), out:z=zeros(16),"
                + " bytes(00ff) or the name of an array of an earlier launch");
    }
}
