package jdiffusion.kernels.cuda;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/**
 * Makes PTX shorter for gzip, which finds repetitions within 32 KB alone, while a file repeats the same template for
 * every type and head. Registers are named by their distance from the last one of their class, so that the same code
 * reads the same wherever it stands; then runs of lines that came before are replaced by how far back they begin.
 */
final class PtxPacking {
    private static final String MARK = "// packed\n";
    /** Begins a line that stands for earlier ones: their distance in lines, and how many they are. */
    private static final char AGAIN = '^';
    /** A reference takes about as much; shorter runs stay. */
    private static final int LEAST = 24;
    /** Earlier places of a line that are tried. */
    private static final int TRIED = 64;
    private static final Pattern REGISTER = Pattern.compile("%([a-z]+)(0|[1-9]\\d{0,8})(?!\\d)");
    /** Digits of a step at most. */
    private static final int DIGITS = 9;

    private PtxPacking() {
    }

    /**
     * @return what {@link #unpack} makes the text of; the text itself where that cannot be
     * @throws IllegalArgumentException for a packed text
     */
    static String pack(String text) {
        if (text.startsWith(MARK)) {
            throw new IllegalArgumentException("the text is packed already");
        }
        if (("\n" + text).contains("\n" + AGAIN)) {
            return text;
        }
        String packed = MARK + again(steps(text));
        return unpack(packed).equals(text) ? packed : text;
    }

    /** @param packed any text; one that {@link #pack} did not make is returned as it is */
    static String unpack(String packed) {
        return packed.startsWith(MARK) ? numbered(lines(packed.substring(MARK.length()))) : packed;
    }

    private static String step(MatchResult register, Map<String, Integer> last) {
        int number = Integer.parseInt(register.group(2));
        Integer before = last.put(register.group(1), number);
        int step = number - (before == null ? 0 : before);
        return "%" + register.group(1) + (step < 0 ? "" : "+") + step;
    }

    /** The last registers are forgotten where a function begins. */
    private static String steps(String text) {
        Map<String, Integer> last = new HashMap<>();
        StringBuilder changed = new StringBuilder(text.length());
        for (String line : text.split("\n", -1)) {
            if (line.startsWith("{")) {
                last.clear();
            }
            changed.append(REGISTER.matcher(line).replaceAll(register -> step(register, last))).append('\n');
        }
        changed.setLength(changed.length() - 1);
        return changed.toString();
    }

    /** The way back from {@link #steps}, without patterns: a program that opens a device unpacks all it runs there. */
    private static String numbered(String text) {
        Last last = new Last();
        StringBuilder out = new StringBuilder(text.length() + text.length() / 8);
        int copied = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '{' && (i == 0 || text.charAt(i - 1) == '\n')) {
                last.count = 0;
            }
            if (c != '%') {
                continue;
            }
            int sign = i + 1;
            while (sign < text.length() && text.charAt(sign) >= 'a' && text.charAt(sign) <= 'z') {
                sign++;
            }
            int end = sign + 1;
            while (end < text.length() && text.charAt(end) >= '0' && text.charAt(end) <= '9') {
                end++;
            }
            int digits = end - sign - 1;
            if (sign > i + 1 && sign < text.length() && (text.charAt(sign) == '+' || text.charAt(sign) == '-')
                    && digits >= 1 && digits <= DIGITS) {
                int number = last.add(text, i + 1, sign, Integer.parseInt(text, sign, end, 10));
                out.append(text, copied, sign).append(number);
                copied = end;
                i = end - 1;
            }
        }
        return out.append(text, copied, text.length()).toString();
    }

    /** The number of the last register of each class. */
    private static final class Last {
        private String[] classes = new String[8];
        private int[] numbers = new int[8];
        private int count;

        /** Adds a step; the class is named by a part of the text. */
        int add(String text, int from, int end, int step) {
            for (int i = 0; i < count; i++) {
                if (classes[i].length() == end - from && text.startsWith(classes[i], from)) {
                    return numbers[i] += step;
                }
            }
            if (count == classes.length) {
                classes = Arrays.copyOf(classes, 2 * count);
                numbers = Arrays.copyOf(numbers, 2 * count);
            }
            classes[count] = text.substring(from, end);
            numbers[count] = step;
            return numbers[count++];
        }
    }

    private static String again(String text) {
        String[] lines = text.split("\n", -1);
        Map<String, List<Integer>> places = new HashMap<>();
        List<String> out = new ArrayList<>();
        for (int i = 0; i < lines.length;) {
            int count = 0;
            int from = 0;
            List<Integer> before = places.getOrDefault(lines[i], List.of());
            for (int place : before.subList(Math.max(0, before.size() - TRIED), before.size())) {
                int same = same(lines, place, i);
                if (same >= count) {
                    count = same;
                    from = place;
                }
            }
            int length = 0;
            for (int l = i; l < i + count; l++) {
                length += lines[l].length() + 1;
            }
            boolean worth = length > LEAST;
            out.add(worth ? String.valueOf(AGAIN) + (i - from) + "," + count : lines[i]);
            for (int end = i + (worth ? count : 1); i < end; i++) {
                places.computeIfAbsent(lines[i], _ -> new ArrayList<>()).add(i);
            }
        }
        return String.join("\n", out);
    }

    /** How many lines from one place up to another are those from the other on. */
    private static int same(String[] lines, int from, int to) {
        int count = 0;
        while (from + count < to && to + count < lines.length && lines[from + count].equals(lines[to + count])) {
            count++;
        }
        return count;
    }

    private static String lines(String text) {
        List<String> lines = new ArrayList<>();
        for (String line : text.split("\n", -1)) {
            int comma = line.indexOf(',');
            if (line.isEmpty() || line.charAt(0) != AGAIN || comma < 0) {
                lines.add(line);
                continue;
            }
            int from = lines.size() - Integer.parseInt(line, 1, comma, 10);
            int count = Integer.parseInt(line, comma + 1, line.length(), 10);
            lines.addAll(List.copyOf(lines.subList(from, from + count)));
        }
        return String.join("\n", lines);
    }
}
