package jdiffusion.model.experiment;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import jdiffusion.model.Branch;
import jdiffusion.model.sites.Intervene;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/** Interventions as users write them, on the command line or in a YAML file. */
public final class Interventions {
    private static final int MOST_BYTES = 1 << 20;

    private Interventions() {
    }

    /**
     * One line: a verb, sites, and what it needs besides, such as {@code scale 2 block.4-8.context steps=0-10}.
     *
     * @throws InputException that names what cannot be understood, and what can
     */
    public static Intervene of(String line) {
        return Instruction.parse(line).intervention(Path.of(""));
    }

    /**
     * A file with a list, each entry such a line or a map with the keys {@code do}, {@code at}, {@code by} and those of
     * the line. Names of files in it start from its folder.
     */
    public static List<Intervene> read(Path file) {
        Path folder = file.toAbsolutePath().getParent();
        List<Intervene> all = new ArrayList<>();
        for (JsonNode entry : entries(file)) {
            try {
                all.add((entry.isTextual() ? Instruction.parse(entry.textValue()) : map(entry))
                        .intervention(folder));
            } catch (InputException e) {
                throw new InputException(file + ": " + e.getMessage(), e);
            }
        }
        return all;
    }

    /** What such a file says, an entry a line. */
    public static List<String> lines(Path file) {
        List<String> lines = new ArrayList<>();
        entries(file).forEach(entry -> lines.add(entry.isTextual() ? entry.textValue() : entry.toString()));
        return lines;
    }

    private static JsonNode entries(Path file) {
        if (Files.notExists(file)) {
            throw new InputException(file + ": there is no such file; write one with interventions, such as"
                    + " \"- zero block.12.context\", a line each");
        }
        JsonNode root = null;
        try {
            root = Instruction.isEmpty(file) ? null : new YAMLMapper().readTree(new String(InputFile.bytes(file,
                    MOST_BYTES, "a list of interventions"), StandardCharsets.UTF_8));
        } catch (JacksonException e) {
            throw new InputException(file + ": is no YAML: " + fault(e)
                    + (e.getLocation() == null ? "" : " in line " + e.getLocation().getLineNr()), e);
        }
        if (root == null || !root.isArray() || root.isEmpty()) {
            throw new InputException(file + ": is no list of interventions; write lines such as"
                    + " \"- zero block.12.context\"");
        }
        return root;
    }

    /**
     * The texts of a changed picture's file. The settings are under a keyword of their own, since alone they draw
     * another picture.
     *
     * @param interventions a line each
     * @param settings      of the run that was changed
     */
    public static Map<String, String> texts(String interventions, String settings) {
        Map<String, String> texts = new LinkedHashMap<>();
        texts.put("interventions", interventions);
        texts.put("settings of the run", settings);
        return texts;
    }

    /** What was read, and what is wrong with it; between them the parser shows the place. */
    private static String fault(JacksonException e) {
        return e.getOriginalMessage().lines().filter(line -> !line.startsWith(" ")).distinct()
                .collect(Collectors.joining(", "));
    }

    /** The prompts of a file, one a line. */
    public static List<String> prompts(Path file) {
        return Instruction.prompts(file);
    }

    /** Names of guidance branches with commas between: cond, uncond, skip, pag, seg. */
    public static Set<Branch> branches(String text) {
        return Instruction.branches(text);
    }

    private static Instruction map(JsonNode entry) {
        if (!entry.isObject()) {
            throw new InputException(entry + " is neither a line such as \"zero block.12.context\" nor a map");
        }
        Map<String, String> keys = new LinkedHashMap<>();
        entry.properties().forEach(field -> {
            if (field.getValue().isContainerNode() && !field.getValue().isArray()) {
                throw new InputException(field.getKey() + " is neither a value nor a list");
            }
            List<String> values = new ArrayList<>();
            if (field.getValue().isArray()) {
                field.getValue().forEach(value -> values.add(value.asText()));
            } else {
                values.add(field.getValue().asText());
            }
            keys.put(field.getKey(), String.join(",", values));
        });
        return Instruction.of(keys, entry.toString());
    }
}
