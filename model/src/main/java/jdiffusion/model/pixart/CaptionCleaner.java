package jdiffusion.model.pixart;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Prompts as PixArt reads them: lowered and stripped, and unless somebody wants them as they are, cleaned as captions
 * from the web were for its training (the steps of {@code _clean_caption} in diffusers' pipelines, which have it from
 * DeepFloyd IF).
 */
final class CaptionCleaner {
    private static final String SITE = "[a-zA-Z0-9.\\-]+[.](?:com|co|ru|net|org|edu|gov|it)[\\w/-]*\\b\\/?(?!@)";
    private static final Pattern ESCAPED = Pattern.compile("[\\x00-\\x7f]*%[\\x00-\\x7f]*");
    private static final Pattern HYPHEN = Pattern.compile("[-_]");
    /** So many hyphens are still read as such. */
    private static final int FEW_HYPHENS = 3;

    /** @param by as a replacement of Java's, groups with a dollar */
    private record Step(Pattern pattern, String by) implements UnaryOperator<String> {
        static Step of(String python, String by) {
            return new Step(PythonPattern.compile(python), by);
        }

        @Override
        public String apply(String text) {
            return pattern.matcher(text).replaceAll(by);
        }
    }

    private static final List<Step> BEFORE_HTML = List.of(
            Step.of("<person>", "person"),
            Step.of("\\b((?:https?:(?:\\/{1,3}|[a-zA-Z0-9%])|" + SITE + "))", ""),
            Step.of("\\b((?:www:(?:\\/{1,3}|[a-zA-Z0-9%])|" + SITE + "))", ""));

    private static final List<Step> BEFORE_REPAIR = List.of(
            Step.of("@[\\w\\d]+\\b", ""),
            // Strokes, Katakana extensions, enclosed and compatibility characters, hexagrams and ideographs.
            Step.of("[\u31c0-\u31ef\u31f0-\u31ff\u3200-\u32ff\u3300-\u33ff\u3400-\u4dbf\u4dc0-\u4dff\u4e00-\u9fff]+", ""),
            Step.of("[\\u002D\\u058A\\u05BE\\u1400\\u1806\\u2010-\\u2015\\u2E17\\u2E1A\\u2E3A\\u2E3B\\u2E40\\u301C\\u3030"
                    + "\\u30A0\\uFE31\\uFE32\\uFE58\\uFE63\\uFF0D]+", "-"),
            Step.of("[`\u00b4\u00ab\u00bb\u201c\u201d\u00a8]", "\""),
            Step.of("[\u2018\u2019]", "'"),
            Step.of("&quot;?", ""),
            Step.of("&amp", ""),
            Step.of("\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}", " "),
            Step.of("\\d:\\d\\d\\s+$", ""),
            Step.of("\\\\n", " "),
            Step.of("#\\d{1,3}\\b", ""),
            Step.of("#\\d{5,}\\b", ""),
            Step.of("\\b\\d{6,}\\b", ""),
            Step.of("[\\S]+\\.(?:png|jpg|jpeg|bmp|webp|eps|pdf|apk|mp4)", ""),
            Step.of("[\\\"\\']{2,}", "\""),
            Step.of("[\\.]{2,}", " "),
            Step.of("[#\u00ae\u2022\u00a9\u2122&@\u00b7\u00ba\u00bd\u00be\u00bf\u00a1\u00a7~\\)\\(\\]\\[\\}\\{\\|\\\\\\/\\*]{1,}",
                    " "),
            Step.of("\\s+\\.\\s+", " "));

    private static final List<Step> LAST = List.of(
            Step.of("\\b[a-zA-Z]{1,3}\\d{3,15}\\b", ""),
            Step.of("\\b[a-zA-Z]+\\d+[a-zA-Z]+\\b", ""),
            Step.of("\\b\\d+[a-zA-Z]+\\d+\\b", ""),
            Step.of("(worldwide\\s+)?(free\\s+)?shipping", ""),
            Step.of("(free\\s)?download(\\sfree)?", ""),
            Step.of("\\bclick\\b\\s(?:for|on)\\s\\w+", ""),
            Step.of("\\b(?:png|jpg|jpeg|bmp|webp|eps|pdf|apk|mp4)(\\simage[s]?)?", ""),
            Step.of("\\bpage\\s+\\d+\\b", ""),
            Step.of("\\b\\d*[a-zA-Z]+\\d+[a-zA-Z]+\\d+[a-zA-Z\\d]*\\b", " "),
            Step.of("\\b\\d+\\.?\\d*[x\u0445\u00d7]\\d+\\.?\\d*\\b", ""),
            Step.of("\\b\\s+\\:\\s+", ": "),
            Step.of("(\\D[,\\./])\\b", "$1 "),
            Step.of("\\s+", " "),
            Step.of("^[\\\"\\']((?s:.)+)[\\\"\\']$", "$1"),
            Step.of("^[\\'\\_,\\-\\:;]", ""),
            Step.of("[\\'\\_,\\-\\:\\-\\+]$", ""),
            Step.of("^\\.\\S+$", ""));

    private CaptionCleaner() {
    }

    /** @param clean whether more is done than lowering and stripping */
    static String of(String prompt, boolean clean) {
        // Cleaning may uncover what it takes away, so it runs twice.
        return clean ? cleaned(cleaned(prompt)) : PythonPattern.strip(lower(prompt));
    }

    private static String lower(String text) {
        return text.toLowerCase(Locale.ROOT);
    }

    private static String cleaned(String caption) {
        String text = lower(PythonPattern.strip(unquoted(caption)));
        text = all(BEFORE_REPAIR, HtmlText.of(all(BEFORE_HTML, text)));
        if (HYPHEN.matcher(text).results().count() > FEW_HYPHENS) {
            text = HYPHEN.matcher(text).replaceAll(" ");
        }
        text = HtmlText.unescaped(HtmlText.unescaped(TextRepair.of(text)));
        return PythonPattern.strip(all(LAST, text));
    }

    private static String all(List<Step> steps, String text) {
        String changed = text;
        for (Step step : steps) {
            changed = step.apply(changed);
        }
        return changed;
    }

    /** Of an address's form: plus signs are spaces, and percent signs escape bytes of UTF-8. */
    private static String unquoted(String text) {
        return ESCAPED.matcher(text.replace('+', ' ')).replaceAll(found -> Matcher.quoteReplacement(
                bytes(found.group())));
    }

    private static String bytes(String ascii) {
        byte[] all = new byte[ascii.length()];
        int count = 0;
        for (int i = 0; i < ascii.length(); i++) {
            String hex = ascii.charAt(i) == '%' && i + 2 < ascii.length() ? ascii.substring(i + 1, i + 3) : "";
            boolean escaped = hex.matches("[0-9a-fA-F]{2}");
            all[count++] = (byte) (escaped ? Integer.parseInt(hex, 16) : ascii.charAt(i));
            i += escaped ? 2 : 0;
        }
        return new String(all, 0, count, StandardCharsets.UTF_8);
    }
}
