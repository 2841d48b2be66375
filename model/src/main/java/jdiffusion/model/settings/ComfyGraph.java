package jdiffusion.model.settings;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdiffusion.model.JsonTree;

/**
 * ComfyUI's graph: nodes with inputs, each a value or a link, {@code [node, output]}.
 *
 * @param nodes by their identifiers, in the file's order
 */
record ComfyGraph(Map<String, Node> nodes) {
    /** Of what SetNode keeps for GetNode. */
    private static final String NAME = "name of the value";
    /** Which values of a node's widgets stand where in a saved workflow; "" is for one that is no input. */
    private static final Map<String, List<String>> WIDGETS = Map.ofEntries(
            Map.entry("KSampler", List.of("seed", "", "steps", "cfg", "sampler_name", "scheduler", "denoise")),
            Map.entry("KSamplerAdvanced", List.of("add_noise", "noise_seed", "", "steps", "cfg", "sampler_name",
                    "scheduler", "start_at_step", "end_at_step", "return_with_leftover_noise")),
            Map.entry("SamplerCustom", List.of("add_noise", "noise_seed", "", "cfg")),
            Map.entry("RandomNoise", List.of("noise_seed")),
            Map.entry("KSamplerSelect", List.of("sampler_name")),
            Map.entry("BasicScheduler", List.of("scheduler", "steps", "denoise")),
            Map.entry("CFGGuider", List.of("cfg")),
            Map.entry("FluxGuidance", List.of("guidance")),
            Map.entry("CLIPTextEncode", List.of("text")),
            Map.entry("CLIPTextEncodeSD3", List.of("clip_l", "clip_g", "t5xxl", "empty_padding")),
            Map.entry("CLIPTextEncodeFlux", List.of("clip_l", "t5xxl", "guidance")),
            Map.entry("CLIPTextEncodeSDXL", List.of("width", "height", "crop_w", "crop_h", "target_width",
                    "target_height", "text_g", "text_l")),
            Map.entry("EmptyLatentImage", List.of("width", "height", "batch_size")),
            Map.entry("EmptySD3LatentImage", List.of("width", "height", "batch_size")),
            Map.entry("CheckpointLoaderSimple", List.of("ckpt_name")),
            Map.entry("UNETLoader", List.of("unet_name")),
            Map.entry("UnetLoaderGGUF", List.of("unet_name")),
            Map.entry("LoraLoader", List.of("lora_name", "strength_model", "strength_clip")),
            Map.entry("LoraLoaderModelOnly", List.of("lora_name", "strength_model")),
            Map.entry("ModelSamplingSD3", List.of("shift")),
            Map.entry("ModelSamplingAuraFlow", List.of("shift")),
            Map.entry("CLIPSetLastLayer", List.of("stop_at_clip_layer")),
            Map.entry("GetNode", List.of(NAME)),
            Map.entry("SetNode", List.of(NAME)),
            Map.entry("PrimitiveNode", List.of("value")),
            Map.entry("PrimitiveString", List.of("value")),
            Map.entry("PrimitiveStringMultiline", List.of("value")),
            Map.entry("PrimitiveInt", List.of("value")),
            Map.entry("PrimitiveFloat", List.of("value")));
    private static final int MUTED = 2;
    private static final int BYPASSED = 4;

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

    /** The graph as it is shown, the text "workflow"; null when this is none. */
    static ComfyGraph ofWorkflow(JsonNode json) {
        Map<String, JsonNode> links = new HashMap<>();
        for (JsonNode link : json.path("links")) {
            JsonNode id = link.isArray() ? link.get(0) : link.get("id");
            JsonNode from = link.isArray() ? link.get(1) : link.get("origin_id");
            JsonNode slot = link.isArray() ? link.get(2) : link.get("origin_slot");
            if (id != null && from != null && slot != null) {
                links.put(id.asText(), JsonTree.array(from.asText(), slot.asInt()));
            }
        }
        Map<String, Node> nodes = new LinkedHashMap<>();
        for (JsonNode node : json.path("nodes")) {
            int mode = node.path("mode").asInt();
            if (node.path("type").isTextual() && node.has("id") && mode != MUTED) {
                String type = mode == BYPASSED ? "" : node.get("type").textValue();
                nodes.put(node.get("id").asText(), new Node(node.get("id").asText(), type, inputs(node, links)));
            }
        }
        return nodes.isEmpty() ? null : new ComfyGraph(nodes);
    }

    private static ObjectNode inputs(JsonNode node, Map<String, JsonNode> links) {
        ObjectNode inputs = JsonTree.object();
        JsonNode values = node.path("widgets_values");
        if (values.isObject()) {
            inputs.setAll((ObjectNode) values);
        }
        List<String> names = WIDGETS.getOrDefault(node.get("type").textValue(), List.of());
        for (int i = 0; i < names.size() && values.isArray() && i < values.size(); i++) {
            if (!names.get(i).isEmpty()) {
                inputs.set(names.get(i), values.get(i));
            }
        }
        for (JsonNode input : node.path("inputs")) {
            JsonNode link = links.get(input.path("link").asText());
            if (link != null) {
                inputs.set(input.path("name").asText(), link);
            }
        }
        return inputs;
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
