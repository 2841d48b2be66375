package jdiffusion.model.pixart;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the Python library ftfy ("fixes text for you") does by default, as far as prompts need it: UTF-8 that was read as
 * Windows-1252, ligatures, wide letters, curled quotes, line ends and control characters; then Unicode's form NFC.
 */
final class TextRepair {
    private static final Map<String, String> LIGATURES = new TreeMap<>(Map.ofEntries(Map.entry("\u0132", "IJ"),
            Map.entry("\u0133", "ij"), Map.entry("\u0149", "\u02bcn"), Map.entry("\u01f1", "DZ"),
            Map.entry("\u01f2", "Dz"), Map.entry("\u01f3", "dz"), Map.entry("\u01c4", "D\u017d"),
            Map.entry("\u01c5", "D\u017e"), Map.entry("\u01c6", "d\u017e"), Map.entry("\u01c7", "LJ"),
            Map.entry("\u01c8", "Lj"), Map.entry("\u01c9", "lj"), Map.entry("\u01ca", "NJ"),
            Map.entry("\u01cb", "Nj"), Map.entry("\u01cc", "nj"), Map.entry("\ufb00", "ff"), Map.entry("\ufb01", "fi"),
            Map.entry("\ufb02", "fl"), Map.entry("\ufb03", "ffi"), Map.entry("\ufb04", "ffl"),
            Map.entry("\ufb05", "\u017ft"), Map.entry("\ufb06", "st")));
    private static final Pattern LIGATURE = Pattern.compile("[" + String.join("", LIGATURES.keySet()) + "]");
    private static final Pattern WIDE = Pattern.compile("[\uff01-\uffef]");
    private static final Pattern TERMINAL = Pattern.compile("\u001b\\[[0-9;]*[a-zA-Z]");
    private static final Pattern CONTROL = Pattern.compile("[\\x00-\\x08\\x0b\\x0e-\\x1f\\x7f\\u206a-\\u206f\\ufeff"
            + "\\ufff9-\\ufffc]");
    private static final Pattern C1 = Pattern.compile("[\\x80-\\x84\\x86-\\x9f]");
    private static final Pattern LINE_END = Pattern.compile("\\r\\n|[\\r\\x85\\u2028\\u2029]");
    private static final Pattern LONE_SURROGATE = Pattern.compile("\\p{Cs}");
    /** Bytes that continue a character in UTF-8, as Windows-1252 reads them. */
    private static final String CONTINUED = continued(0x80, 0xbf, ' ');
    /** The same without that of the no-break space, which became a space on the way. */
    private static final String NOT_SPACE = continued(0x80, 0xbf, '\u00a0');
    /** Characters of two, three and four bytes. A space stands for the no-break space where the rest leaves no doubt. */
    private static final Pattern MOJIBAKE = Pattern.compile("[\u00c2\u00c3]" + CONTINUED
            + "|[\u00e0-\u00ef]" + CONTINUED + "{2}|[\u00f0-\u00f4]" + CONTINUED + "{3}"
            + "|[\u00e2\u00e3] " + NOT_SPACE + "|[\u00e0-\u00e3]" + NOT_SPACE + " ");

    private TextRepair() {
    }

    /** A class of the characters of these bytes, and one character instead of the no-break space. */
    private static String continued(int from, int to, char space) {
        StringBuilder all = new StringBuilder("[");
        for (int value = from; value <= to; value++) {
            char c = HtmlText.ofWindows1252(value);
            all.append(c == '\u00a0' && space != ' ' ? "" : String.format("\\u%04x", (int) c));
        }
        return all.append("]").toString();
    }

    static String of(String text) {
        String fixed = MOJIBAKE.matcher(text).replaceAll(found -> Matcher.quoteReplacement(decoded(found.group())));
        fixed = C1.matcher(fixed).replaceAll(found -> String.valueOf(HtmlText.ofWindows1252(found.group().charAt(0))));
        fixed = LIGATURE.matcher(fixed).replaceAll(found -> LIGATURES.get(found.group()));
        fixed = WIDE.matcher(fixed.replace('\u3000', ' ')).replaceAll(found -> Matcher.quoteReplacement(
                Normalizer.normalize(found.group(), Normalizer.Form.NFKC)));
        fixed = fixed.replaceAll("[\u02bc\u2018-\u201b]", "'").replaceAll("[\u201c-\u201f]", "\"");
        fixed = LINE_END.matcher(fixed).replaceAll("\n");
        fixed = LONE_SURROGATE.matcher(fixed).replaceAll("\ufffd");
        fixed = CONTROL.matcher(TERMINAL.matcher(fixed).replaceAll("")).replaceAll("");
        return Normalizer.normalize(fixed, Normalizer.Form.NFC);
    }

    /** The character whose bytes these are; these themselves where UTF-8 has none. */
    private static String decoded(String read) {
        byte[] bytes = new byte[read.length()];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (read.charAt(i) == ' ' ? 0xa0 : byteOf(read.charAt(i)));
        }
        String text = new String(bytes, StandardCharsets.UTF_8);
        return text.indexOf('\ufffd') >= 0 ? read : text;
    }

    private static int byteOf(char c) {
        for (int value = 0x80; value < 0xa0; value++) {
            if (HtmlText.ofWindows1252(value) == c) {
                return value;
            }
        }
        return c;
    }
}
