package jdiffusion.model.pixart;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The text of a piece of HTML, and named and numbered characters in it, much as Python's {@code html} has them. */
final class HtmlText {
    private static final String ENTITIES = "entities.txt";
    private static final int HEX = 16;
    /** Numbers from here to {@code C1_END} are read as bytes of Windows-1252. */
    private static final int C1 = 0x80;
    private static final int C1_END = 0xa0;
    private static final String WINDOWS_1252 = "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039"
            + "\u0152\u008d\u017d\u008f\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d"
            + "\u017e\u0178";
    private static final char UNKNOWN = '\ufffd';
    /** An opening tag with its attributes, up to its end. */
    private static final Pattern TAG = Pattern.compile("<[a-zA-Z][^\\t\\n\\r\\f />\\x00]*+"
            + "(?:=\\s*\"[^\"]*\"|=\\s*'[^']*'|[^>])*+>");
    private static final Pattern COMMENT = Pattern.compile("<!--.*?--\\s*>", Pattern.DOTALL);
    private static final Pattern OTHER_TAG = Pattern.compile("<[/!?][^>]*>");
    /** What is in these is code. */
    private static final Pattern CODE = Pattern.compile("<(script|style)\\b.*?</\\1\\s*>",
            Pattern.DOTALL | Pattern.CASE_INSENSITIVE);
    private static final Pattern NUMBERED = Pattern.compile("&#([0-9]+|[xX][0-9a-fA-F]+)(?![0-9a-fA-F]);?");
    private static final Pattern NAMED = Pattern.compile("&([a-zA-Z][-.a-zA-Z0-9]*);?");
    private static final Pattern REFERENCE = Pattern.compile("&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\\t\\n\\f <&#;]{1,32};?)");
    private static final Map<String, String> NAMES = names();

    private HtmlText() {
    }

    private static Map<String, String> names() {
        Map<String, String> names = new HashMap<>();
        try (InputStream in = HtmlText.class.getResourceAsStream(ENTITIES)) {
            new String(in.readAllBytes(), StandardCharsets.US_ASCII).lines().filter(line -> !line.startsWith("#"))
                    .forEach(line -> {
                        String[] parts = line.split(" ");
                        StringBuilder text = new StringBuilder();
                        for (int i = 1; i < parts.length; i++) {
                            text.appendCodePoint(Integer.parseInt(parts[i], HEX));
                        }
                        names.put(parts[0], text.toString());
                    });
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return names;
    }

    /** The text without tags and comments, its characters put in their places once. */
    static String of(String html) {
        StringBuilder text = new StringBuilder();
        int at = 0;
        while (at < html.length()) {
            char c = html.charAt(at);
            Matcher found = c == '<' ? tag(html, at) : c == '&' ? reference(html, at) : null;
            if (found == null) {
                text.append(c);
                at++;
            } else {
                text.append(c == '<' ? "" : character(found));
                at = found.end();
            }
        }
        return text.toString();
    }

    private static Matcher tag(String html, int at) {
        for (Pattern pattern : new Pattern[] {CODE, COMMENT, TAG, OTHER_TAG}) {
            Matcher matcher = pattern.matcher(html).region(at, html.length());
            if (matcher.lookingAt()) {
                return matcher;
            }
        }
        return null;
    }

    private static Matcher reference(String html, int at) {
        for (Pattern pattern : new Pattern[] {NUMBERED, NAMED}) {
            Matcher matcher = pattern.matcher(html).region(at, html.length());
            if (matcher.lookingAt()) {
                return matcher;
            }
        }
        return null;
    }

    /** A name that is not known stays, without its semicolon. */
    private static String character(Matcher found) {
        String name = found.group(1);
        if (found.pattern() == NUMBERED) {
            return numbered(name);
        }
        String known = NAMES.get(name + ";");
        return known != null ? known : "&" + name;
    }

    private static String numbered(String digits) {
        boolean hex = digits.charAt(0) == 'x' || digits.charAt(0) == 'X';
        int code;
        try {
            code = Integer.parseInt(hex ? digits.substring(1) : digits, hex ? HEX : 10);
        } catch (NumberFormatException e) {
            return String.valueOf(UNKNOWN); // beyond all characters
        }
        if (code >= C1 && code < C1_END) {
            return String.valueOf(WINDOWS_1252.charAt(code - C1));
        }
        boolean none = code == 0 || code > Character.MAX_CODE_POINT
                || code >= Character.MIN_SURROGATE && code <= Character.MAX_SURROGATE;
        return none ? String.valueOf(UNKNOWN) : Character.toString(code);
    }

    /** Named and numbered characters put in their places, names without a semicolon too, as far as HTML knows them. */
    static String unescaped(String text) {
        return REFERENCE.matcher(text).replaceAll(found -> Matcher.quoteReplacement(unescaped(found.group(1),
                found.group())));
    }

    private static String unescaped(String reference, String whole) {
        if (reference.startsWith("#")) {
            String value = numbered(reference.substring(1).replace(";", ""));
            boolean control = value.length() == 1 && value.charAt(0) < ' ' && !value.matches("[\\t\\n\\f\\r]");
            return control ? "" : value;
        }
        for (int end = reference.length(); end > 1; end--) {
            String known = NAMES.get(reference.substring(0, end));
            if (known != null) {
                return known + reference.substring(end);
            }
        }
        return whole;
    }

    /** The character of a byte in Windows-1252; those that it leaves out stand for themselves. */
    static char ofWindows1252(int value) {
        return value >= C1 && value < C1_END ? WINDOWS_1252.charAt(value - C1) : (char) value;
    }
}
