package jdiffusion.model.settings;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The settings of a picture as text, in the form that AUTOMATIC1111's web UI introduced: the prompt, a line
 * "Negative prompt: ...", and a last line of "Key: value" pairs between commas.
 *
 * <p>The form is ambiguous when a prompt looks like the lines after it. Such prompts, and those with spaces or control
 * characters that readers drop, are repeated as pairs of their own.
 *
 * @param fields the pairs in order
 */
public record Infotext(String prompt, String negativePrompt, Map<String, String> fields) {
    /** The keyword under which the text stands in a PNG file. */
    public static final String KEYWORD = "parameters";

    private static final String NEGATIVE = "Negative prompt:";
    private static final String EXACT = "Exact prompt";
    private static final String EXACT_NEGATIVE = "Exact negative prompt";
    private static final Pattern FIRST_FIELD = Pattern.compile("Steps: \\d");
    /** With fewer pairs a last line that does not begin as usual belongs to the prompt. */
    private static final int FEWEST_FIELDS = 3;
    private static final ObjectMapper JSON = new ObjectMapper();

    public Infotext {
        fields = new LinkedHashMap<>(fields);
    }

    /** The text; {@link #parse} gives back an equal record. */
    public String text() {
        String plain = text(fields);
        Infotext back = parse(plain);
        if (back.prompt.equals(prompt) && back.negativePrompt.equals(negativePrompt)) {
            return plain;
        }
        Map<String, String> more = new LinkedHashMap<>(fields);
        more.put(EXACT, prompt);
        more.put(EXACT_NEGATIVE, negativePrompt);
        return text(more);
    }

    private String text(Map<String, String> pairs) {
        StringBuilder text = new StringBuilder(printable(prompt)).append('\n');
        if (!negativePrompt.isEmpty()) {
            text.append(NEGATIVE).append(' ').append(printable(negativePrompt)).append('\n');
        }
        String separator = "";
        for (Map.Entry<String, String> pair : pairs.entrySet()) {
            text.append(separator).append(pair.getKey()).append(": ")
                    .append(quoted(pair.getValue(), pair.getKey().startsWith("Exact ")));
            separator = ", ";
        }
        return text.toString();
    }

    private static String printable(String prompt) {
        return prompt.replaceAll("[\\p{Cntrl}&&[^\n]]", " ");
    }

    private static String quoted(String value, boolean always) {
        if (!always && value.chars().noneMatch(c -> c == ',' || c == ':' || c == '"' || c < ' ')) {
            return value;
        }
        try {
            return JSON.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Reads such a text, whoever wrote it; what cannot be understood is taken for prompt or left out. */
    public static Infotext parse(String text) {
        String plain = text.startsWith("\uFEFF") ? text.substring(1) : text;
        List<String> lines = new ArrayList<>(Arrays.asList(plain.strip().split("\r\n?|\n")));
        int at = fieldsAt(lines);
        Map<String, String> fields = at < 0 ? new LinkedHashMap<>() : pairs(lines.get(at).strip());
        if (at >= 0) {
            List<String> more = lines.subList(at, lines.size());
            more.stream().skip(1).map(line -> line.split(":", 2)).filter(pair -> pair.length == 2)
                    .forEach(pair -> fields.putIfAbsent(pair[0].strip(), pair[1].strip()));
            more.clear();
        }
        List<String> prompt = new ArrayList<>();
        List<String> negative = new ArrayList<>();
        List<String> current = prompt;
        for (String line : lines) {
            String stripped = line.strip();
            if (stripped.startsWith(NEGATIVE)) {
                current = negative;
                stripped = stripped.substring(NEGATIVE.length()).strip();
            }
            current.add(stripped);
        }
        String exact = fields.remove(EXACT);
        String exactNegative = fields.remove(EXACT_NEGATIVE);
        return new Infotext(exact != null ? exact : String.join("\n", prompt),
                exactNegative != null ? exactNegative : String.join("\n", negative), fields);
    }

    /** The line of pairs: one that begins as A1111's, lines of extensions may stand behind it, or the last; else -1. */
    private static int fieldsAt(List<String> lines) {
        for (int i = lines.size() - 1; i >= 0; i--) {
            if (FIRST_FIELD.matcher(lines.get(i)).lookingAt()
                    || i == lines.size() - 1 && pairs(lines.get(i).strip()).size() >= FEWEST_FIELDS) {
                return i;
            }
        }
        return -1;
    }

    /** "Key: value, Key: value"; values may be JSON strings, or lists or objects in brackets. */
    private static Map<String, String> pairs(String line) {
        Map<String, String> pairs = new LinkedHashMap<>();
        int at = 0;
        while (at < line.length()) {
            int comma = end(line, at);
            int colon = line.indexOf(':', at);
            if (colon < 0 || colon > comma) {
                at = comma + 1;
                continue;
            }
            String key = line.substring(at, colon).strip();
            int start = colon + 1;
            while (start < line.length() && line.charAt(start) == ' ') {
                start++;
            }
            int end = valueEnd(line, start);
            if (key.matches("\\w[\\w \\-/]{1,60}")) {
                pairs.putIfAbsent(key, unquoted(line.substring(start, end).strip()));
            }
            at = end(line, end) + 1;
        }
        return pairs;
    }

    private static int end(String line, int from) {
        int comma = line.indexOf(',', from);
        return comma < 0 ? line.length() : comma;
    }

    private static int valueEnd(String line, int start) {
        char first = start < line.length() ? line.charAt(start) : ' ';
        if (first != '"' && first != '[' && first != '{') {
            return end(line, start);
        }
        int depth = 0;
        boolean inText = false;
        for (int i = start; i < line.length(); i++) {
            char c = line.charAt(i);
            if (inText && c == '\\') {
                i++;
            } else if (c == '"') {
                inText = !inText;
            } else if (!inText && (c == '[' || c == '{')) {
                depth++;
            } else if (!inText && (c == ']' || c == '}')) {
                depth--;
            }
            if (!inText && depth == 0) {
                return Math.min(i + 1, line.length());
            }
        }
        return end(line, start);
    }

    private static String unquoted(String value) {
        if (!value.startsWith("\"")) {
            return value;
        }
        try {
            return JSON.readValue(value, String.class);
        } catch (JsonProcessingException e) {
            return value;
        }
    }
}
