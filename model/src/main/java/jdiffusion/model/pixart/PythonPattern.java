package jdiffusion.model.pixart;

import java.util.regex.Pattern;

/**
 * Regular expressions as Python's module {@code re} reads them for texts: classes are Unicode's, a word has letters,
 * numbers and underscores, and spaces are those of {@code str.isspace}. Java's own Unicode classes count marks as
 * letters.
 */
final class PythonPattern {
    private static final String WORD = "\\p{L}\\p{N}_";
    private static final String SPACE = "\\x09-\\x0d\\x1c-\\x1f\\x85\\p{Z}";
    private static final String BOUNDARY = "(?:(?<=[" + WORD + "])(?![" + WORD + "])|(?<![" + WORD + "])(?=["
            + WORD + "]))";
    private static final Pattern ENDS = compile("^\\s+|\\s+$");

    private PythonPattern() {
    }

    /** @param python with classes w, d, s, S, D, and b for the border of a word */
    static Pattern compile(String python) {
        StringBuilder java = new StringBuilder();
        boolean inside = false;
        for (int i = 0; i < python.length(); i++) {
            char c = python.charAt(i);
            if (c == '\\') {
                java.append(escape(python.charAt(++i), inside));
                continue;
            }
            inside = c == '[' || inside && c != ']';
            // Within a class these mean more to Java than to Python.
            java.append(inside && (c == '&' || c == '^' && python.charAt(i - 1) != '[') ? "\\" : "").append(c);
        }
        return Pattern.compile(java.toString(), Pattern.UNIX_LINES);
    }

    private static String escape(char c, boolean inside) {
        return switch (c) {
            case 'w' -> inside ? WORD : "[" + WORD + "]";
            case 's' -> inside ? SPACE : "[" + SPACE + "]";
            case 'S' -> "[^" + SPACE + "]";
            case 'd' -> "\\p{Nd}";
            case 'D' -> "\\P{Nd}";
            case 'b' -> BOUNDARY;
            default -> "\\" + c;
        };
    }

    /** Python's {@code str.strip()}. */
    static String strip(String text) {
        return ENDS.matcher(text).replaceAll("");
    }
}
