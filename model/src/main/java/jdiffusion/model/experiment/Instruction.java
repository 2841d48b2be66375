package jdiffusion.model.experiment;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jdiffusion.model.Branch;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.sites.Edit;
import jdiffusion.model.sites.Intervene;
import jdiffusion.model.sites.Place;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.Tensor;

/**
 * An intervention as a user writes it: {@code scale 2 block.4-8.context steps=0-10 branch=cond}.
 *
 * @param verb what is done
 * @param at   the sites
 * @param by   the verb's number; null for its usual one
 * @param keys everything else, by name
 */
record Instruction(String verb, String at, Float by, Map<String, String> keys) {
    private static final int MOST_BYTES = 1 << 24;
    private static final Pattern WORD = Pattern.compile("((?:[^\\s\"']|\"[^\"]*\"|'[^']*')+)");
    private static final Pattern NUMBER = Pattern.compile("[-+]?(\\d+\\.?\\d*|\\.\\d+)([eE][-+]?\\d+)?");
    /** Of the keys with most mass so many, or none at all. */
    private static final Pattern TOP = Pattern.compile("top\\d{1,6}|none");
    private static final Set<String> PLACE = Set.of("steps", "branch", "images", "heads", "tokens", "word", "encoder",
            "area");
    /** What each verb takes besides the place; its number is {@code by}. */
    private static final Map<String, Set<String>> VERBS = verbs();

    private static Map<String, Set<String>> verbs() {
        Map<String, Set<String>> verbs = new LinkedHashMap<>();
        verbs.put("keep", Set.of());
        verbs.put("zero", Set.of());
        verbs.put("scale", Set.of("by"));
        verbs.put("noise", Set.of("by", "seed"));
        verbs.put("add", Set.of("by", "from"));
        verbs.put("project", Set.of("from"));
        verbs.put("replace", Set.of("from"));
        verbs.put("mean", Set.of("prompts"));
        verbs.put("swap", Set.of("prompt"));
        verbs.put("remove", Set.of());
        verbs.put("repeat", Set.of("by"));
        verbs.put("mask-key", Set.of("top", "keys", "path"));
        return verbs;
    }

    /** A line, such as one of {@code --do}. */
    static Instruction parse(String line) {
        List<String> words = new ArrayList<>();
        Matcher matcher = WORD.matcher(line);
        while (matcher.find()) {
            words.add(matcher.group(1));
        }
        if (words.isEmpty()) {
            throw new InputException("an intervention is empty; write one such as \"zero block.12.context\"");
        }
        Map<String, String> keys = new LinkedHashMap<>();
        keys.put("do", words.getFirst());
        for (String word : words.subList(1, words.size())) {
            int equals = word.indexOf('=');
            String key = equals > 0 ? word.substring(0, equals) : NUMBER.matcher(word).matches() ? "by"
                    : TOP.matcher(word).matches() ? "top" : "at";
            String value = unquoted(equals > 0 ? word.substring(equals + 1) : word);
            String before = keys.put(key, value);
            if (before != null) {
                throw new InputException("\"" + line + "\": " + (key.equals("at") ? before + " and " + value
                        + " are both no number and no key=value, and only one can be the site"
                        : key + " is given twice, also as " + value));
            }
        }
        return of(keys, line);
    }

    private static String unquoted(String text) {
        return text.length() > 1 && (text.startsWith("\"") || text.startsWith("'"))
                && text.endsWith(text.substring(0, 1)) ? text.substring(1, text.length() - 1) : text;
    }

    /**
     * @param all  the verb as {@code do}, the sites as {@code at}, and the rest
     * @param text in messages
     */
    static Instruction of(Map<String, String> all, String text) {
        Map<String, String> keys = new LinkedHashMap<>(all);
        String verb = keys.getOrDefault("do", "").toLowerCase(Locale.ROOT);
        Set<String> known = VERBS.get(verb);
        if (known == null) {
            throw new InputException("\"" + text + "\": '" + InputException.shown(verb) + "' is no intervention; use "
                    + String.join(", ", VERBS.keySet()));
        }
        keys.remove("do");
        if (verb.equals("mask-key") && keys.containsKey("by")) {
            // A block's number alone.
            keys.putIfAbsent("at", keys.remove("by"));
        }
        String at = keys.remove("at");
        if (at == null || at.isBlank()) {
            throw new InputException("\"" + text + "\": " + verb + " needs a site, such as block.12.context");
        }
        for (String key : keys.keySet()) {
            if (!known.contains(key) && !PLACE.contains(key)) {
                throw new InputException("\"" + text + "\": " + verb + " takes no " + key + "; it takes "
                        + Stream.concat(known.stream(), PLACE.stream()).sorted()
                                .collect(Collectors.joining(", ")));
            }
        }
        String by = keys.remove("by");
        if (by != null && !NUMBER.matcher(by).matches()) {
            throw new InputException("\"" + text + "\": '" + by + "' is no number");
        }
        return new Instruction(verb, at, by == null ? null : Float.valueOf(by), Map.copyOf(keys));
    }

    private String needed(String key, String what) {
        String value = keys.get(key);
        if (value == null) {
            throw new InputException(verb + " " + at + " needs " + key + "=" + what);
        }
        return value;
    }

    private float number(String what) {
        if (by == null) {
            throw new InputException(verb + " " + at + " needs " + what + ", such as \"" + verb + " 2 " + at + "\"");
        }
        return by;
    }

    /**
     * @param folder that names of files start from
     * @throws InputException when a file is missing, or a value is none
     */
    Intervene intervention(Path folder) {
        Place place = place();
        return switch (verb) {
            case "keep" -> place.keep();
            case "zero" -> place.zero();
            case "scale" -> place.scale(number("a factor"));
            case "noise" -> place.noise(number("a strength"), whole(keys.getOrDefault("seed", "0"), "seed"));
            case "add" -> place.add(vector(folder), by == null ? 1 : by);
            case "project" -> place.project(vector(folder));
            case "replace" -> place.replace(TensorFile.open(folder.resolve(needed("from", "FILE.safetensors"))));
            case "mean" -> place.mean(prompts(folder.resolve(needed("prompts", "FILE.txt"))));
            case "swap" -> place.swap(needed("prompt", "\"another prompt\""));
            case "mask-key" -> place.edit(masked());
            case "remove" -> place.remove();
            default -> place.repeat(times(number("how often")));
        };
    }

    private Edit.MaskKeys masked() {
        Edit.MaskKeys.Path path = switch (keys.getOrDefault("path", "score").toLowerCase(Locale.ROOT)) {
            case "score" -> Edit.MaskKeys.Path.SCORE;
            case "value" -> Edit.MaskKeys.Path.VALUE;
            default -> throw new InputException(verb + " " + at + ": path=" + InputException.shown(keys.get("path"))
                    + " is none; use score (before the softmax) or value (after it)");
        };
        List<Integer> named = keys.containsKey("keys") ? Numbers.of(keys.get("keys"), "keys") : List.of();
        boolean chosen = Stream.of("keys", "tokens", "word", "encoder").anyMatch(keys::containsKey);
        String top = keys.get("top");
        if ((top != null) == chosen) {
            throw new InputException(verb + " " + at + (chosen ? " names keys and " + top + " too; give one"
                    : " needs keys: top1 to mask the one with most mass, keys=0,5-9, tokens=3, word=cat, encoder=t5, or"
                    + " none"));
        }
        if (top != null && !TOP.matcher(top).matches()) {
            throw new InputException(verb + " " + at + ": top=" + InputException.shown(top)
                    + " is none; use top1, top5 or none");
        }
        int most = top == null || top.equals("none") ? 0 : Integer.parseInt(top.substring("top".length()));
        if (top != null && !top.equals("none") && most == 0) {
            throw new InputException(verb + " " + at + ": top0 masks nothing; write none for that");
        }
        return new Edit.MaskKeys(path, most, named);
    }

    private static int times(float number) {
        if (number != Math.rint(number)) {
            throw new InputException("a block cannot run " + number + " times; use a whole number up to "
                    + Edit.Repeat.MOST);
        }
        return (int) number;
    }

    private static long whole(String text, String what) {
        try {
            return Long.parseLong(text.strip());
        } catch (NumberFormatException e) {
            throw new InputException(what + "=" + text + ": is no whole number", e);
        }
    }

    private Place place() {
        Place place = Intervene.at(at);
        keys.forEach((key, value) -> {
            if (value.isBlank()) {
                throw new InputException(verb + " " + at + ": " + key + "= is empty; give a value or leave it out");
            }
        });
        place = keys.containsKey("steps") ? place.steps(Numbers.of(keys.get("steps"), "steps")) : place;
        place = keys.containsKey("images") ? place.images(Numbers.of(keys.get("images"), "images")) : place;
        place = keys.containsKey("heads") ? place.heads(Numbers.of(keys.get("heads"), "heads")) : place;
        place = keys.containsKey("tokens") ? place.tokens(Numbers.of(keys.get("tokens"), "tokens")) : place;
        place = keys.containsKey("branch") ? place.branches(branches(keys.get("branch"))) : place;
        place = keys.containsKey("word") ? place.word(keys.get("word")) : place;
        place = keys.containsKey("encoder") ? place.encoder(encoder(keys.get("encoder"))) : place;
        if (keys.containsKey("area")) {
            String[] numbers = keys.get("area").split(",", -1);
            if (numbers.length != 4) {
                throw new InputException("area=" + keys.get("area") + ": give x,y,width,height in pixels");
            }
            int[] n = new int[4];
            for (int i = 0; i < n.length; i++) {
                n[i] = Math.toIntExact(Math.clamp(whole(numbers[i], "area"), -1, Integer.MAX_VALUE / 2));
            }
            place = place.area(n[0], n[1], n[2], n[3]);
        }
        return place;
    }

    /** Names of guidance branches with commas between. */
    static Set<Branch> branches(String text) {
        Set<Branch> branches = EnumSet.noneOf(Branch.class);
        for (String name : text.split(",", -1)) {
            Branch branch = Branch.of(name.strip().toLowerCase(Locale.ROOT));
            if (branch == null) {
                throw new InputException("'" + InputException.shown(name) + "' is no guidance branch; use "
                        + Branch.labels());
            }
            branches.add(branch);
        }
        return branches;
    }

    private static Component encoder(String text) {
        Component component = Component.ofOption(text);
        if (component == null || !component.isEncoder()) {
            throw new InputException("encoder=" + text + " is no text encoder; use clip-l, clip-g or t5");
        }
        return component;
    }

    /** A tensor of a file, {@code FILE.safetensors:NAME}; the only one where no name is given. */
    private float[] vector(Path folder) {
        String from = needed("from", "FILE.safetensors:TENSOR");
        int colon = Files.exists(folder.resolve(from)) ? -1 : from.lastIndexOf(':');
        TensorFile file = TensorFile.open(folder.resolve(colon < 0 ? from : from.substring(0, colon)));
        List<String> names = colon < 0 ? file.names() : List.of(from.substring(colon + 1));
        Tensor tensor = names.size() == 1 ? file.find(names.getFirst()) : null;
        if (tensor == null) {
            throw new InputException(from + ": " + (names.size() == 1 ? "has no tensor " + names.getFirst()
                    : "has several tensors, so name one behind a colon") + "; there are " + file.names().stream()
                            .limit(8).collect(Collectors.joining(", ")) + (file.names().size() > 8 ? ", ..." : ""));
        }
        return tensor.toArray();
    }

    /** Whether there is nothing in a file. */
    static boolean isEmpty(Path file) {
        return Files.isRegularFile(file) && file.toFile().length() == 0;
    }

    /** One prompt a line. */
    static List<String> prompts(Path file) {
        if (Files.notExists(file)) {
            throw new InputException(file + ": there is no such file; write one with a prompt a line");
        }
        String text = isEmpty(file) ? "" : new String(InputFile.bytes(file, MOST_BYTES, "a file of prompts"),
                StandardCharsets.UTF_8);
        List<String> lines = text.lines().map(String::strip).filter(line -> !line.isEmpty()).toList();
        if (lines.isEmpty()) {
            throw new InputException(file + ": has no prompts; write one a line");
        }
        return lines;
    }
}
