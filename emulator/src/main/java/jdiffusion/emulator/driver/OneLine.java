package jdiffusion.emulator.driver;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.regex.Pattern;

/** What other programs say, in one line. */
final class OneLine {
    private static final Pattern ERROR = Pattern.compile("\\berror\\b", Pattern.CASE_INSENSITIVE);
    private static final int MOST_CHARACTERS = 300;

    private OneLine() {
    }

    /** The text with its lines joined, cut off when it is long. */
    static String of(String text) {
        String line = text.strip().replaceAll("\\s*\\R\\s*", " ");
        return line.length() <= MOST_CHARACTERS ? line : line.substring(0, MOST_CHARACTERS) + "...";
    }

    /** The line of a compiler's log that names the first error, or else the last line that says anything. */
    static String error(byte[] log) {
        List<String> lines = new String(log, StandardCharsets.UTF_8).lines().filter(line -> !line.isBlank()).toList();
        return of(lines.stream().filter(line -> ERROR.matcher(line).find()).findFirst()
                .orElse(lines.isEmpty() ? "it says nothing" : lines.getLast()));
    }
}
