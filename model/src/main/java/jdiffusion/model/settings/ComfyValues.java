package jdiffusion.model.settings;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import jdiffusion.model.settings.ComfyGraph.Node;
import jdiffusion.tensor.InputException;

/**
 * Texts and numbers of ComfyUI's graph, which stand in a node or behind links. What cannot be read is noted, so that
 * no default is taken without a word.
 */
record ComfyValues(ComfyGraph graph, Finding found, String file) {
    /** Nodes in a row that are followed. */
    static final int DEEPEST = 64;
    private static final String[] TEXTS = {"populated_text", "text", "string", "value", "Text", "text_0",
        "prompt", "positive", "negative", "multiline_text"};
    private static final String[] NUMBERS = {"value", "seed", "noise_seed", "int", "number", "Value", "Number",
        "float"};
    /** Characters of a text that is put together, by a graph that may do so again and again. */
    private static final int LONGEST = 1 << 20;
    /** Inputs of nodes that put texts together. */
    private static final List<List<String>> JOINED = List.of(List.of("string_a", "string_b"),
            List.of("text_a", "text_b", "text_c", "text_d"), List.of("text1", "text2"));

    /** A text, or one behind links; null for anything else. */
    String text(JsonNode value) {
        return text(value, DEEPEST);
    }

    private String text(JsonNode value, int depth) {
        if (value == null || depth == 0) {
            return null;
        }
        if (value.isTextual()) {
            return value.textValue();
        }
        if (value.isObject()) {
            return text(value.get("content"), depth - 1); // a name with its picture
        }
        Node node = graph.follow(value);
        if (node == null) {
            return null;
        }
        JsonNode next = node.input(TEXTS);
        return next != null ? text(next, depth - 1) : joined(node, depth);
    }

    /** What a node puts together, with what it sets between; null for other nodes. */
    private String joined(Node node, int depth) {
        for (List<String> names : JOINED) {
            if (node.input(names.getFirst()) == null || node.input("delimiter", "separator") == null) {
                continue;
            }
            StringBuilder all = new StringBuilder();
            String separator = text(node.input("delimiter", "separator"), depth / 2);
            for (String name : names) {
                JsonNode part = node.input(name);
                String text = text(part, depth / 2);
                if (part != null && (text == null || separator == null)) {
                    return null;
                }
                all.append(part == null ? "" : (all.isEmpty() ? "" : separator) + text);
                if (all.length() > LONGEST) {
                    return null;
                }
            }
            return all.toString();
        }
        return null;
    }

    /** The same for a name; null, with a note, when it is there and cannot be read. */
    String name(JsonNode value) {
        String text = text(value);
        if (text == null && value != null) {
            found.note("a name in ComfyUI's graph of " + file + " comes from a node that is not read" + type(value)
                    + "; the default is used");
        }
        return text;
    }

    /** A number, or one behind links; null when there is none, with a note when it cannot be read. */
    String number(JsonNode value) {
        JsonNode next = value;
        for (int i = 0; i < DEEPEST && next != null; i++) {
            if (next.isValueNode()) {
                return Fields.text(next);
            }
            Node node = graph.follow(next);
            next = node == null ? null : node.input(NUMBERS);
        }
        if (value != null) {
            found.note("a number in ComfyUI's graph of " + file + " comes from a node that is not read" + type(value)
                    + "; the default is used");
        }
        return null;
    }

    /** The class of the node that a link leads to, for messages. */
    String type(JsonNode link) {
        Node node = graph.follow(link);
        return node == null ? "" : ", '" + InputException.shown(node.type()) + "'";
    }

    /** Names a node that changes the picture and has no counterpart here. */
    void ignored(Node node) {
        if (!node.type().isEmpty() && !node.type().contains("Reroute")) {
            found.more(node.type(), node.type());
        }
    }
}
