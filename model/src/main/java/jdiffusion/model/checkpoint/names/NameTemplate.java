package jdiffusion.model.checkpoint.names;

import java.util.ArrayList;
import java.util.List;

/**
 * A tensor name with places: {@code #} is a number, {@code ~} a number counted from the last level, {@code *} is
 * weight or bias. Each place is a whole part of the name, between dots.
 */
record NameTemplate(List<String> parts) {
    private static final int MOST_DIGITS = 6;

    /** What stands in a name's places: the numbers in order, and what ends it. */
    record Filling(List<Integer> numbers, String end) {
    }

    static NameTemplate of(String text) {
        return new NameTemplate(List.of(text.split("\\.")));
    }

    /** The name with every number replaced by {@code #} and its end by {@code *}, by which templates are found. */
    static String key(String name) {
        StringBuilder key = new StringBuilder();
        String[] parts = name.split("\\.", -1);
        for (int i = 0; i < parts.length; i++) {
            String part = parts[i];
            key.append(isNumber(part) ? "#" : isEnd(part) ? "*" : part)
                    .append(i < parts.length - 1 ? "." : "");
        }
        return key.toString();
    }

    String key() {
        return key(String.join(".", parts).replace('~', '#'));
    }

    /**
     * What fills the places so that the template gives this name; null when nothing does.
     *
     * @param levels from which {@code ~} counts
     */
    Filling match(String name, int levels) {
        String[] given = name.split("\\.", -1);
        if (given.length != parts.size()) {
            return null;
        }
        List<Integer> numbers = new ArrayList<>();
        String end = "";
        for (int i = 0; i < given.length; i++) {
            String part = parts.get(i);
            boolean fits = switch (part) {
                case "#", "~" -> isNumber(given[i])
                        && numbers.add(turned(part, Integer.parseInt(given[i]), levels));
                case "*" -> isEnd(given[i]);
                default -> part.equals(given[i]);
            };
            if (!fits) {
                return null;
            }
            end = part.equals("*") ? given[i] : end;
        }
        return numbers.stream().allMatch(n -> n >= 0) ? new Filling(numbers, end) : null;
    }

    String fill(Filling filling, int levels) {
        List<String> name = new ArrayList<>();
        int next = 0;
        for (String part : parts) {
            name.add(switch (part) {
                case "#", "~" -> Integer.toString(turned(part, filling.numbers.get(next++), levels));
                case "*" -> filling.end;
                default -> part;
            });
        }
        return String.join(".", name);
    }

    private static int turned(String place, int number, int levels) {
        return place.equals("~") ? levels - 1 - number : number;
    }

    private static boolean isNumber(String part) {
        return !part.isEmpty() && part.length() <= MOST_DIGITS && part.chars().allMatch(c -> c >= '0' && c <= '9')
                && (part.length() == 1 || part.charAt(0) != '0');
    }

    private static boolean isEnd(String part) {
        return part.equals("weight") || part.equals("bias");
    }
}
