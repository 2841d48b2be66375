package jdiffusion.model.settings;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.LinkedHashSet;
import java.util.Set;

/** The fields of a JSON object; those that are not asked for are passed on by name. */
final class Fields {
    private final JsonNode object;
    private final Set<String> unread = new LinkedHashSet<>();

    /** @param object anything but an object counts as an empty one */
    Fields(JsonNode object) {
        this.object = object;
        object.fieldNames().forEachRemaining(unread::add);
    }

    /** The first of these fields that is there and not null; else null. */
    JsonNode node(String... names) {
        JsonNode found = null;
        for (String name : names) {
            unread.remove(name);
            JsonNode node = object.get(name);
            found = found == null && node != null && !node.isNull() ? node : found;
        }
        return found;
    }

    /** The same as text; null also for lists and objects. */
    String text(String... names) {
        return text(node(names));
    }

    /** A text or a number, as it is written; null for all else. */
    static String text(JsonNode node) {
        if (node == null || !node.isValueNode() || node.isNull()) {
            return null;
        }
        String text = node.asText();
        return node.isFloatingPointNumber() && text.endsWith(".0") ? text.substring(0, text.length() - 2) : text;
    }

    /** Hands on what was not read. */
    void rest(Finding found) {
        for (String name : unread) {
            JsonNode node = object.get(name);
            if (!node.isNull()) {
                found.more(name, node.isValueNode() ? node.asText() : node.toString());
            }
        }
    }
}
