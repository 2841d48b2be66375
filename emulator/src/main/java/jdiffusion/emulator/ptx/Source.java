package jdiffusion.emulator.ptx;

import jdiffusion.emulator.PtxException;
import java.util.Arrays;
import java.util.List;

/** PTX text being read: comments are blanked, the position knows its line. */
final class Source {
    private final String origin;
    private final List<String> lines;
    private final String text;
    private int at;
    private int line = 1;

    Source(String ptx, String origin) {
        this.origin = origin;
        this.lines = Arrays.asList(ptx.split("\n", -1));
        this.text = blankComments(ptx.replace("\0", " "));
    }

    private static String blankComments(String ptx) {
        char[] chars = ptx.toCharArray();
        for (int i = 0; i + 1 < chars.length; i++) {
            if (chars[i] == '"') {
                i = skipString(chars, i);
            } else if (chars[i] == '/' && chars[i + 1] == '/') {
                while (i < chars.length && chars[i] != '\n') {
                    chars[i++] = ' ';
                }
            } else if (chars[i] == '/' && chars[i + 1] == '*') {
                while (i < chars.length && !(chars[i] == '*' && i + 1 < chars.length && chars[i + 1] == '/')) {
                    chars[i] = chars[i] == '\n' ? '\n' : ' ';
                    i++;
                }
                if (i + 1 < chars.length) {
                    chars[i] = ' ';
                    chars[i + 1] = ' ';
                }
            }
        }
        return new String(chars);
    }

    private static int skipString(char[] chars, int from) {
        int i = from + 1;
        while (i < chars.length && chars[i] != '"' && chars[i] != '\n') {
            i++;
        }
        return i;
    }

    List<String> lines() {
        return lines;
    }

    String origin() {
        return origin;
    }

    /** Skips white space; returns the next character without taking it, or 0 at the end. */
    char peek() {
        while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
            take();
        }
        return at < text.length() ? text.charAt(at) : 0;
    }

    /** Line of the next character. */
    int line() {
        return line;
    }

    char take() {
        char c = text.charAt(at++);
        if (c == '\n') {
            line++;
        }
        return c;
    }

    /** Takes {@code expected} after white space when it comes next. */
    boolean accept(char expected) {
        if (peek() == expected) {
            take();
            return true;
        }
        return false;
    }

    /** Takes a run of letters, digits, {@code _ $ % .}; empty when there is none. */
    String word() {
        peek();
        int from = at;
        while (at < text.length() && isWord(text.charAt(at))) {
            at++;
        }
        return text.substring(from, at);
    }

    private static boolean isWord(char c) {
        return Character.isLetterOrDigit(c) || c == '_' || c == '$' || c == '%' || c == '.';
    }

    /** Takes a label and its colon when one comes next, and returns it; null otherwise. */
    String label() {
        peek();
        int from = at;
        String word = word();
        if (!word.isEmpty() && word.charAt(0) != '.' && peek() == ':') {
            take();
            return word;
        }
        at = from;
        return null;
    }

    /** Takes everything up to one of {@code stops} outside quotes; that character is left. */
    String until(String stops) {
        int from = at;
        boolean quoted = false;
        while (at < text.length() && (quoted || stops.indexOf(text.charAt(at)) < 0)) {
            if (take() == '"') {
                quoted = !quoted;
            }
        }
        if (at == text.length()) {
            throw error(line, "the text ends where one of " + stops + " should come");
        }
        return text.substring(from, at).trim();
    }

    /** Goes to just after the closing brace that matches an opening one already taken. */
    void skipBraces() {
        for (int depth = 1; depth > 0;) {
            if (peek() == 0) {
                throw error(line, "a brace is not closed");
            }
            char c = take();
            depth += c == '{' ? 1 : c == '}' ? -1 : 0;
        }
    }

    PtxException error(int where, String what) {
        return error(origin, lines, where, what);
    }

    static PtxException error(String origin, List<String> lines, int where, String what) {
        String text = where < 1 || where > lines.size() ? "" : lines.get(where - 1).trim();
        return new PtxException(origin + ":" + where + ": " + what + ": `" + text + "`", where);
    }
}
