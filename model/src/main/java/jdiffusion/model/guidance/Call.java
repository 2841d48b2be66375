package jdiffusion.model.guidance;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import jdiffusion.tensor.InputException;

/**
 * A method's name with its arguments, as options have it: {@code apg(eta=0.5)}, {@code interval(0.1, 0.8)},
 * {@code pag}. Arguments are taken one by one; {@link #done} names what nobody took.
 */
public final class Call {
    private static final int MOST_LAYERS = 10_000;

    private final String option;
    private final String name;
    private final Map<String, String> named = new LinkedHashMap<>();
    private final List<String> placed = new ArrayList<>();
    private final TreeSet<String> known = new TreeSet<>();
    private int next;

    private Call(String option, String name) {
        this.option = option;
        this.name = name;
    }

    /**
     * Reads calls between commas.
     *
     * @param option that the text is of, for messages
     * @throws InputException when brackets do not match or an argument stands there twice
     */
    public static List<Call> all(String option, String text) {
        List<Call> calls = new ArrayList<>();
        for (String part : apart(option, text)) {
            int open = part.indexOf('(');
            if (open < 0) {
                calls.add(new Call(option, part.toLowerCase(Locale.ROOT)));
                continue;
            }
            if (!part.endsWith(")") || part.indexOf('(', open + 1) >= 0) {
                throw new InputException(option + ": '" + InputException.shown(part)
                        + "' is no name with arguments; write it like apg(eta=0.5)");
            }
            Call call = new Call(option, part.substring(0, open).strip().toLowerCase(Locale.ROOT));
            call.arguments(part.substring(open + 1, part.length() - 1));
            calls.add(call);
        }
        return calls;
    }

    /** Cuts at commas outside of brackets. */
    private static List<String> apart(String option, String text) {
        List<String> parts = new ArrayList<>();
        int depth = 0;
        int from = 0;
        for (int i = 0; i <= text.length(); i++) {
            char c = i < text.length() ? text.charAt(i) : ',';
            depth += c == '(' ? 1 : c == ')' ? -1 : 0;
            if (depth < 0 || i == text.length() && depth != 0) {
                throw new InputException(option + ": the brackets in '" + InputException.shown(text)
                        + "' do not match; write it like apg(eta=0.5)");
            }
            if (c == ',' && depth == 0) {
                String part = text.substring(from, i).strip();
                if (part.isEmpty()) {
                    throw new InputException(option + ": '" + InputException.shown(text)
                            + "' has nothing before or after a comma; leave the comma out");
                }
                parts.add(part);
                from = i + 1;
            }
        }
        return parts;
    }

    private void arguments(String text) {
        for (String part : text.isBlank() ? new String[0] : text.split(",", -1)) {
            int is = part.indexOf('=');
            if (is < 0) {
                placed.add(part.strip());
            } else if (named.put(part.substring(0, is).strip().toLowerCase(Locale.ROOT), part.substring(is + 1).strip())
                    != null) {
                throw new InputException(option + ": " + name + " has '" + InputException.shown(part.substring(0, is))
                        + "' twice; leave one out");
            }
        }
    }

    public String name() {
        return name;
    }

    /** Whether there are more arguments without a name. */
    public boolean hasMore() {
        return next < placed.size();
    }

    /** The text of an argument, by its name or as the next one without a name; null where it is not given. */
    public String text(String argument) {
        known.add(argument);
        String given = named.remove(argument);
        if (given != null) {
            return given;
        }
        return hasMore() ? placed.get(next++) : null;
    }

    /**
     * A number.
     *
     * @param least    the smallest that is possible
     * @param greatest the largest
     */
    public double number(String argument, double usual, double least, double greatest) {
        String given = text(argument);
        if (given == null) {
            return usual;
        }
        try {
            double value = Double.parseDouble(given);
            if (value >= least && value <= greatest) {
                return value;
            }
        } catch (NumberFormatException e) {
            // Said below.
        }
        throw new InputException(option + ": the " + argument + " of " + name + " is '" + InputException.shown(given)
                + "'; give a number from " + shown(least) + " to " + shown(greatest));
    }

    /** A whole number. */
    public int integer(String argument, int usual, int least, int greatest) {
        double value = number(argument, usual, least, greatest);
        if (value != Math.rint(value)) {
            throw new InputException(option + ": the " + argument + " of " + name + " is " + value
                    + "; give a whole number from " + least + " to " + greatest);
        }
        return (int) value;
    }

    /** Numbers of layers, such as {@code 7+8+9} or {@code 7-9}; none where it is not given. */
    public List<Integer> layers(String argument) {
        known.add(argument);
        String given = named.remove(argument);
        List<Integer> layers = new ArrayList<>();
        for (String part : given == null ? new String[0] : given.split("\\+", -1)) {
            String[] ends = part.strip().split("-", -1);
            try {
                int first = Integer.parseInt(ends[0].strip());
                int last = Integer.parseInt(ends[ends.length - 1].strip());
                if (ends.length > 2 || last < first || last > MOST_LAYERS) {
                    throw new NumberFormatException(part);
                }
                for (int i = first; i <= last; i++) {
                    layers.add(i);
                }
            } catch (NumberFormatException e) {
                throw new InputException(option + ": the " + argument + " of " + name + " are '"
                        + InputException.shown(given) + "'; give numbers like 7+8+9 or 7-9", e);
            }
        }
        return layers;
    }

    /** Fails when an argument was given that nothing takes. */
    public void done() {
        String odd = !named.isEmpty() ? named.keySet().iterator().next() : hasMore() ? placed.get(next) : null;
        if (odd != null) {
            throw new InputException(option + ": " + name + " takes no '" + InputException.shown(odd) + "'; it takes "
                    + (known.isEmpty() ? "no arguments" : String.join(", ", known)));
        }
    }

    /** 4.0 as 4, and every other number so that the same one is read back. */
    public static String shown(double value) {
        String text = Double.toString(value);
        return text.endsWith(".0") ? text.substring(0, text.length() - 2) : text;
    }

    /** Layers as {@link #layers} reads them. */
    static String shown(List<Integer> layers) {
        return String.join("+", layers.stream().map(String::valueOf).toList());
    }
}
