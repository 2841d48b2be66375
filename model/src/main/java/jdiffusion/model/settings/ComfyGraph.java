package jdiffusion.model.settings;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * ComfyUI's graph: nodes with inputs, each a value or a link, {@code [node, output]}.
 *
 * @param nodes by their identifiers, in the file's order
 */
record ComfyGraph(Map<String, Node> nodes) {
    /** Of what SetNode keeps for GetNode. */
    static final String NAME = "name of the value";
    /** @param type the name of its class */
    record Node(String id, String type, JsonNode inputs) {
        /** The first of these inputs that is there; else null. */
        JsonNode input(String... names) {
            for (String name : names) {
                JsonNode value = inputs.get(name);
                if (value != null && !value.isNull()) {
                    return value;
                }
            }
            return null;
        }
    }

    /** The graph as it was run, the text "prompt"; null when this is none. */
    static ComfyGraph ofPrompt(JsonNode json) {
        Map<String, Node> nodes = new LinkedHashMap<>();
        json.properties().forEach(entry -> {
            JsonNode type = entry.getValue().get("class_type");
            JsonNode inputs = entry.getValue().get("inputs");
            if (type != null && type.isTextual() && inputs != null && inputs.isObject()) {
                nodes.put(entry.getKey(), new Node(entry.getKey(), type.textValue(), inputs));
            }
        });
        return nodes.isEmpty() ? null : new ComfyGraph(nodes);
    }

    /** The node that a link leads to; null when the value is none. */
    Node follow(JsonNode value) {
        Node node = node(value);
        for (int i = 0; i < ComfyValues.DEEPEST && node != null; i++) {
            JsonNode on = passed(node);
            if (on == null) {
                return node;
            }
            node = node(on);
        }
        return node;
    }

    private Node node(JsonNode value) {
        return value != null && value.isArray() && value.size() == 2 ? nodes.get(value.get(0).asText()) : null;
    }

    /** The link that a node hands on, of a workflow: a Reroute's only one, and what a GetNode's SetNode has. */
    private JsonNode passed(Node node) {
        Node from = node;
        if (node.type.equals("GetNode")) {
            from = nodes.values().stream().filter(set -> set.type.equals("SetNode")
                    && node.inputs.path(NAME).equals(set.inputs.path(NAME))).findFirst().orElse(null);
        }
        if (from == null || !from.type.equals("SetNode") && !from.type.startsWith("Reroute")) {
            return null;
        }
        for (JsonNode input : from.inputs) {
            if (input.isArray()) {
                return input;
            }
        }
        return null;
    }

    /** The identifiers of all nodes that this one's inputs come from, and its own. */
    Set<String> before(Node node) {
        Set<String> seen = new HashSet<>();
        List<Node> open = new ArrayList<>(List.of(node));
        while (!open.isEmpty()) {
            Node next = open.removeLast();
            if (seen.add(next.id)) {
                for (JsonNode value : next.inputs) {
                    Node from = follow(value);
                    if (from != null) {
                        open.add(from);
                    }
                }
            }
        }
        return seen;
    }
}
