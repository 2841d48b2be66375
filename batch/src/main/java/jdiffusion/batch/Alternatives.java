package jdiffusion.batch;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/**
 * Chooses among the alternatives that a prompt gives, in the syntax of A1111's dynamic prompts: {@code {a|b|c}}, with
 * weights {@code {3::a|b}}, several of them {@code {2$$a|b|c}} or {@code {1-2$$ and $$a|b|c}}, and {@code __name__} for
 * a line of the file name.txt in the folder of wildcards. Alternatives may lie in alternatives. Braces without a bar,
 * and braces and underscores behind a backslash, are text.
 */
public final class Alternatives {
    private static final Pattern WILDCARD = Pattern.compile("__([\\p{L}\\p{N}][\\p{L}\\p{N}_./ -]*?)__");
    private static final Pattern WEIGHT = Pattern.compile("\\s*(\\d{1,9}(?:\\.\\d{1,9})?)::(.*)", Pattern.DOTALL);
    private static final Pattern COUNT = Pattern.compile("\\s*(\\d{1,3})(?:-(\\d{1,3}))?\\$\\$(.*)", Pattern.DOTALL);
    private static final Pattern SEPARATOR = Pattern.compile("([^|{}]*?)\\$\\$(.*)", Pattern.DOTALL);
    private static final String USUAL_SEPARATOR = ", ";
    private static final int DEEPEST = 32;
    private static final int LONGEST = 100_000;

    private final Path folder;
    private final Map<String, List<String>> files = new HashMap<>();

    /** @param folder of wildcards' files; null for none */
    public Alternatives(Path folder) {
        if (folder != null && !Files.isDirectory(folder)) {
            throw new InputException("--wildcards " + folder + " is not a folder; give the one with the lists");
        }
        this.folder = folder;
    }

    /** Whether a text gives any. */
    public static boolean areIn(String text) {
        return text != null && (text.indexOf('|') >= 0 && text.indexOf('{') >= 0 || WILDCARD.matcher(text).find());
    }

    /** The text with all choices made. */
    public String choose(String text, RandomGenerator random) {
        return areIn(text) ? unescaped(chosen(text, random, 0)) : text;
    }

    private static String unescaped(String text) {
        return text.replaceAll("\\\\([{}|]|__)", "$1");
    }

    private String chosen(String text, RandomGenerator random, int depth) {
        if (depth > DEEPEST) {
            throw new InputException("the prompt's alternatives lie more than " + DEEPEST
                    + " deep; does a wildcard name itself?");
        }
        StringBuilder out = new StringBuilder();
        int at = 0;
        while (at < text.length()) {
            int open = unescapedAt(text, '{', at);
            int close = open < 0 ? -1 : closing(text, open);
            if (close < 0) {
                out.append(lines(text.substring(at), random, depth));
                break;
            }
            out.append(lines(text.substring(at, open), random, depth));
            String inside = text.substring(open + 1, close);
            List<String> options = parts(inside);
            out.append(options.size() == 1 ? "{" + chosen(inside, random, depth + 1) + "}"
                    : pick(options, random, depth));
            at = close + 1;
            checkLength(out);
        }
        return out.toString();
    }

    private static void checkLength(StringBuilder out) {
        if (out.length() > LONGEST) {
            throw new InputException("the prompt grows to more than " + LONGEST
                    + " characters with its alternatives; does a wildcard name itself?");
        }
    }

    private static int unescapedAt(String text, char what, int from) {
        for (int i = from; i < text.length(); i++) {
            if (text.charAt(i) == '\\') {
                i++;
            } else if (text.charAt(i) == what) {
                return i;
            }
        }
        return -1;
    }

    /** The brace that closes one; -1 for none. */
    private static int closing(String text, int open) {
        int depth = 0;
        for (int i = open; i < text.length(); i++) {
            switch (text.charAt(i)) {
                case '\\' -> i++;
                case '{' -> depth++;
                case '}' -> {
                    if (--depth == 0) {
                        return i;
                    }
                }
                default -> { }
            }
        }
        return -1;
    }

    /** What stands between bars that are in no inner braces. */
    private static List<String> parts(String inside) {
        List<String> parts = new ArrayList<>();
        int depth = 0;
        int start = 0;
        for (int i = 0; i < inside.length(); i++) {
            switch (inside.charAt(i)) {
                case '\\' -> i++;
                case '{' -> depth++;
                case '}' -> depth--;
                case '|' -> {
                    if (depth == 0) {
                        parts.add(inside.substring(start, i));
                        start = i + 1;
                    }
                }
                default -> { }
            }
        }
        parts.add(inside.substring(start));
        return parts;
    }

    private String pick(List<String> given, RandomGenerator random, int depth) {
        List<String> options = new ArrayList<>(given);
        int count = 1;
        String separator = USUAL_SEPARATOR;
        Matcher counted = COUNT.matcher(options.getFirst());
        if (counted.matches()) {
            int least = Integer.parseInt(counted.group(1));
            int most = counted.group(2) == null ? least : Integer.parseInt(counted.group(2));
            if (most < least) {
                throw new InputException("the prompt asks for " + least + " to " + most
                        + " of its alternatives; write the smaller number first");
            }
            String first = counted.group(3);
            Matcher between = SEPARATOR.matcher(first);
            if (between.matches()) {
                separator = between.group(1);
                first = between.group(2);
            }
            options.set(0, first);
            count = Math.min(options.size(), random.nextInt(least, most + 1));
        }
        List<Double> weights = new ArrayList<>();
        for (int i = 0; i < options.size(); i++) {
            Matcher weighed = WEIGHT.matcher(options.get(i));
            boolean has = weighed.matches();
            weights.add(has ? Double.parseDouble(weighed.group(1)) : 1.0);
            options.set(i, has ? weighed.group(2) : options.get(i));
        }
        List<String> chosen = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int index = weighed(weights, random);
            chosen.add(chosen(options.remove(index), random, depth + 1));
            weights.remove(index);
        }
        return String.join(separator, chosen);
    }

    private static int weighed(List<Double> weights, RandomGenerator random) {
        double sum = weights.stream().mapToDouble(Double::doubleValue).sum();
        double at = random.nextDouble() * sum;
        for (int i = 0; i < weights.size() - 1; i++) {
            at -= weights.get(i);
            if (at < 0) {
                return i;
            }
        }
        return weights.size() - 1;
    }

    /** Puts lines of files in the place of wildcards. */
    private String lines(String text, RandomGenerator random, int depth) {
        Matcher wildcard = WILDCARD.matcher(text);
        StringBuilder out = new StringBuilder();
        int from = 0;
        while (wildcard.find(from)) {
            boolean escaped = wildcard.start() > 0 && text.charAt(wildcard.start() - 1) == '\\';
            if (escaped) {
                out.append(text, from, wildcard.end());
            } else {
                List<String> lines = file(wildcard.group(1));
                out.append(text, from, wildcard.start())
                        .append(chosen(lines.get(random.nextInt(lines.size())), random, depth + 1));
            }
            from = wildcard.end();
            checkLength(out);
        }
        return out.append(text.substring(from)).toString();
    }

    private List<String> file(String name) {
        return files.computeIfAbsent(name, this::read);
    }

    private List<String> read(String name) {
        if (folder == null) {
            throw new InputException("the prompt names a wildcard, __" + InputException.shown(name)
                    + "__; say with --wildcards where its file is, or write \\__ for text");
        }
        Path file = folder.resolve(name + ".txt").normalize();
        if (!file.startsWith(folder.normalize()) || !Files.isRegularFile(file)) {
            throw new InputException("there is no wildcard '" + InputException.shown(name) + "': " + folder + " has no "
                    + InputException.shown(name) + ".txt");
        }
        try (Stream<String> lines = Files.lines(file, StandardCharsets.UTF_8)) {
            List<String> all = lines.map(line -> line.startsWith("\uFEFF") ? line.substring(1) : line)
                    .map(String::strip).filter(line -> !line.isEmpty() && !line.startsWith("#"))
                    .toList();
            if (all.isEmpty()) {
                throw new InputException(file + ": has no lines to choose from");
            }
            return Collections.unmodifiableList(all);
        } catch (IOException e) {
            throw InputFile.unreadable(file, e);
        } catch (UncheckedIOException e) {
            throw InputFile.unreadable(file, e.getCause());
        }
    }
}
