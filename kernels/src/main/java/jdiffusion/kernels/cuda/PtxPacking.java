package jdiffusion.kernels.cuda;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
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
    private static final Pattern STEP = Pattern.compile("%([a-z]+)([+-]\\d{1,9})(?!\\d)");

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
        String packed = MARK + again(registers(text, REGISTER, PtxPacking::step));
        return unpack(packed).equals(text) ? packed : text;
    }

    /** @param packed any text; one that {@link #pack} did not make is returned as it is */
    static String unpack(String packed) {
        return packed.startsWith(MARK) ? registers(lines(packed.substring(MARK.length())), STEP, PtxPacking::number)
                : packed;
    }

    /** Changes the number of a register, and keeps the one that is the last of its class from now on. */
    @FunctionalInterface
    private interface Change {
        String of(MatchResult register, Map<String, Integer> last);
    }

    private static String step(MatchResult register, Map<String, Integer> last) {
        int number = Integer.parseInt(register.group(2));
        Integer before = last.put(register.group(1), number);
        int step = number - (before == null ? 0 : before);
        return "%" + register.group(1) + (step < 0 ? "" : "+") + step;
    }

    private static String number(MatchResult register, Map<String, Integer> last) {
        String kind = register.group(1);
        return "%" + kind + last.merge(kind, Integer.parseInt(register.group(2)), Integer::sum);
    }

    /** The last registers are forgotten where a function begins. */
    private static String registers(String text, Pattern pattern, Change change) {
        Map<String, Integer> last = new HashMap<>();
        StringBuilder changed = new StringBuilder(text.length());
        for (String line : text.split("\n", -1)) {
            if (line.startsWith("{")) {
                last.clear();
            }
            Matcher matcher = pattern.matcher(line);
            changed.append(matcher.replaceAll(register -> change.of(register, last))).append('\n');
        }
        changed.setLength(changed.length() - 1);
        return changed.toString();
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
