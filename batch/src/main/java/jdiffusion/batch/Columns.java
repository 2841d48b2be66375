package jdiffusion.batch;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import jdiffusion.model.JsonTree;
import jdiffusion.model.request.json.Fields;
import jdiffusion.model.request.json.SettingFields;
import jdiffusion.tensor.InputException;
import org.apache.commons.text.similarity.LevenshteinDistance;

/**
 * The columns' names: those of the server's jobs, and those of {@code generate}'s options, with _ or - between words
 * and in any case. Others are the user's own and only pass through.
 */
public final class Columns {
    /** What to draw. */
    static final String PROMPT = "prompt";
    /** What a row is called. */
    public static final String ID = "id";
    /** Files of pictures. */
    public static final String INIT = "init";
    public static final String MASK = "mask";
    /** LoRAs as FILE:WEIGHT, in a list or between semicolons. */
    public static final String LORA = "lora";
    public static final String CONTROL_NET = "control_net";
    public static final String CONTROL_IMAGE = "control_image";
    public static final String CONTROL_KIND = "control_kind";
    public static final String CONTROL_STRENGTH = "control_strength";
    public static final String CONTROL_START = "control_start";
    public static final String CONTROL_END = "control_end";

    private static final Set<String> KNOWN = known();
    /** Other names for the same. */
    private static final Map<String, String> ALIASES = Map.ofEntries(Map.entry("cfg_scale", "guidance"),
            Map.entry("guidance_scale", "guidance"), Map.entry("cfg", "guidance"),
            Map.entry("schedule", "scheduler"), Map.entry("sampling_method", "sampler"),
            Map.entry("sampler_name", "sampler"), Map.entry("flow_shift", "shift"), Map.entry("init_img", INIT),
            Map.entry("init_image", INIT), Map.entry("image", INIT), Map.entry("mask_image", MASK),
            Map.entry("batch_count", "images"), Map.entry("num_images", "images"), Map.entry("n", "images"),
            Map.entry("negative", "negative_prompt"), Map.entry("w", "width"), Map.entry("h", "height"),
            Map.entry("num_inference_steps", "steps"));
    /** From this length on a name may be two letters off. */
    private static final int LONG = 6;

    private final Consumer<String> notes;
    private final Set<String> told = new HashSet<>();

    /** @param notes told once of each column that looks like one of ours misspelt */
    public Columns(Consumer<String> notes) {
        this.notes = notes;
    }

    private static Set<String> known() {
        Set<String> names = new TreeSet<>(SettingFields.NAMES);
        names.addAll(Set.of(ID, INIT, MASK, LORA, CONTROL_NET, CONTROL_IMAGE, CONTROL_KIND, CONTROL_STRENGTH,
                CONTROL_START, CONTROL_END));
        return names;
    }

    /**
     * A row's columns in two parts.
     *
     * @param ours  under their first names
     * @param other as they are
     */
    public record Parted(Fields ours, ObjectNode other) {
    }

    /** @throws InputException when two columns are the same one under two names */
    public Parted part(ObjectNode columns) {
        ObjectNode ours = JsonTree.object();
        ObjectNode other = JsonTree.object();
        for (Map.Entry<String, JsonNode> column : columns.properties()) {
            String name = name(column.getKey());
            if (name == null) {
                look(column.getKey());
                other.set(column.getKey(), column.getValue());
            } else if (!column.getValue().isNull()) {
                if (ours.has(name)) {
                    throw Fields.bad(name, "two columns say " + name + ": '"
                            + InputException.shown(column.getKey()) + "' is one of them; leave one out");
                }
                ours.set(name, column.getValue());
            }
        }
        return new Parted(new Fields(ours), other);
    }

    /** The first name of a column; null for none of ours. */
    static String name(String column) {
        String name = plain(column);
        String first = ALIASES.getOrDefault(name, name);
        return KNOWN.contains(first) ? first : null;
    }

    private static String plain(String column) {
        return column.strip().toLowerCase(Locale.ROOT).replace('-', '_').replace(' ', '_');
    }

    /** Points out a column that is nearly one of ours. */
    private void look(String column) {
        if (!told.add(column)) {
            return;
        }
        String name = plain(column);
        LevenshteinDistance distance = new LevenshteinDistance(2);
        String nearest = null;
        int least = name.length() >= LONG ? 2 : 1;
        for (String known : KNOWN) {
            int far = known.length() < 4 ? -1 : distance.apply(name, known);
            if (far >= 0 && far <= least) {
                nearest = known;
                least = far - 1;
            }
        }
        if (nearest != null) {
            notes.accept("the column '" + InputException.shown(column) + "' only passes through; is '" + nearest
                    + "' meant?");
        }
    }
}
