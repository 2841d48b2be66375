package jdiffusion.model.prompt;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A part of a prompt with its weight.
 *
 * @param text null for a break between chunks
 */
public record WeightedText(String text, double weight) {
    private static final double STEP = 1.1;
    /** What a colon in round brackets may begin. */
    private static final Pattern WEIGHT = Pattern.compile(":([+-]?[.\\d]+)\\)");
    private static final Pattern NUMBER = Pattern.compile("[+-]?(\\d{1,6}\\.?\\d*|\\.\\d+)");
    /** Brackets in so many others are text: each level takes some of the stack. */
    private static final int DEEPEST = 64;
    private static final Pattern BREAK = Pattern.compile("\\s*\\bBREAK\\b\\s*");

    public boolean isBreak() {
        return text == null;
    }

    /**
     * As AUTOMATIC1111's web UI reads it: round brackets multiply by 1.1 or what stands behind a colon, square ones
     * divide by 1.1, brackets that are never closed act to the end, a backslash makes a bracket text, and BREAK begins
     * a new chunk. Other than there, a break in brackets is a break too.
     */
    public static List<WeightedText> a1111(String prompt) {
        List<WeightedText> parts = new ArrayList<>();
        List<Integer> round = new ArrayList<>();
        List<Integer> square = new ArrayList<>();
        Matcher weight = WEIGHT.matcher(prompt);
        int i = 0;
        while (i < prompt.length()) {
            char c = prompt.charAt(i);
            if (c == '\\') {
                boolean escapes = i + 1 < prompt.length() && "()[]\\".indexOf(prompt.charAt(i + 1)) >= 0;
                parts.add(new WeightedText(escapes ? prompt.substring(i + 1, i + 2) : "", 1));
                i += escapes ? 2 : 1;
            } else if (c == '(' || c == '[') {
                (c == '(' ? round : square).add(parts.size());
                i++;
            } else if (c == ':' && !round.isEmpty() && weight.region(i, prompt.length()).lookingAt()
                    && number(weight.group(1)) != null) {
                multiply(parts, round.removeLast(), number(weight.group(1)));
                i = weight.end();
            } else if (c == ')' && !round.isEmpty()) {
                multiply(parts, round.removeLast(), STEP);
                i++;
            } else if (c == ']' && !square.isEmpty()) {
                multiply(parts, square.removeLast(), 1 / STEP);
                i++;
            } else {
                int end = i + 1;
                while (end < prompt.length() && "\\()[]:".indexOf(c) < 0
                        && "\\()[]:".indexOf(prompt.charAt(end)) < 0) {
                    end++;
                }
                addText(parts, prompt.substring(i, end));
                i = end;
            }
        }
        round.forEach(from -> multiply(parts, from, STEP));
        square.forEach(from -> multiply(parts, from, 1 / STEP));
        return joined(parts);
    }

    private static void addText(List<WeightedText> parts, String text) {
        String[] between = BREAK.split(text, -1);
        for (int i = 0; i < between.length; i++) {
            if (i > 0) {
                parts.add(new WeightedText(null, 1));
            }
            parts.add(new WeightedText(between[i], 1));
        }
    }

    private static Double number(String text) {
        return NUMBER.matcher(text).matches() ? Double.valueOf(text) : null;
    }

    private static void multiply(List<WeightedText> parts, int from, double factor) {
        for (int i = from; i < parts.size(); i++) {
            parts.set(i, new WeightedText(parts.get(i).text, parts.get(i).weight * factor));
        }
    }

    /** Neighbours of the same weight are one text, which a tokenizer may read otherwise than two. */
    private static List<WeightedText> joined(List<WeightedText> parts) {
        List<WeightedText> joined = new ArrayList<>();
        for (WeightedText part : parts) {
            WeightedText last = joined.isEmpty() ? null : joined.getLast();
            if (last != null && !last.isBreak() && !part.isBreak() && last.weight == part.weight) {
                joined.set(joined.size() - 1, new WeightedText(last.text + part.text, last.weight));
            } else {
                joined.add(part);
            }
        }
        return joined;
    }

    /**
     * As ComfyUI reads it: round brackets multiply by 1.1, or set the weight that stands behind the last colon in them,
     * whatever is around; a backslash makes a bracket text, square brackets are text.
     */
    public static List<WeightedText> comfyui(String prompt) {
        List<WeightedText> parts = new ArrayList<>();
        String hidden = prompt.replace("\\)", "\0\1").replace("\\(", "\0\2");
        comfyui(hidden, 1, 0, parts);
        parts.replaceAll(part -> new WeightedText(part.text.replace("\0\1", ")").replace("\0\2", "("), part.weight));
        return parts;
    }

    private static void comfyui(String text, double weight, int depth, List<WeightedText> parts) {
        for (String part : outerBrackets(text)) {
            if (depth == DEEPEST || part.length() < 2 || part.charAt(0) != '(' || part.charAt(part.length() - 1) != ')') {
                parts.add(new WeightedText(part, weight));
                continue;
            }
            String inner = part.substring(1, part.length() - 1);
            int colon = inner.lastIndexOf(':');
            Double given = colon > 0 ? number(inner.substring(colon + 1).strip()) : null;
            comfyui(given == null ? inner : inner.substring(0, colon), given == null ? weight * STEP : given,
                    depth + 1, parts);
        }
    }

    /** Cuts a text before and after brackets that stand in no others. */
    private static List<String> outerBrackets(String text) {
        List<String> parts = new ArrayList<>();
        StringBuilder current = new StringBuilder();
        int depth = 0;
        for (char c : text.toCharArray()) {
            if (c == '(' && depth++ == 0 && !current.isEmpty()) {
                parts.add(current.toString());
                current.setLength(0);
            }
            current.append(c);
            if (c == ')' && --depth == 0) {
                parts.add(current.toString());
                current.setLength(0);
            }
        }
        if (!current.isEmpty()) {
            parts.add(current.toString());
        }
        return parts;
    }
}
