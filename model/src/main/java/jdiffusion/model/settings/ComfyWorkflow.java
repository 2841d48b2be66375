package jdiffusion.model.settings;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdiffusion.model.JsonTree;
import jdiffusion.model.settings.ComfyGraph.Node;

/**
 * ComfyUI's graph as it is shown, the text "workflow": nodes with the values of their widgets, links by number, and
 * subgraphs, each of which a node may stand for. What goes in and out of such a node becomes a node that hands it on.
 */
final class ComfyWorkflow {
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
            Map.entry("GetNode", List.of(ComfyGraph.NAME)),
            Map.entry("SetNode", List.of(ComfyGraph.NAME)),
            Map.entry("PrimitiveNode", List.of("value")),
            Map.entry("PrimitiveString", List.of("value")),
            Map.entry("PrimitiveStringMultiline", List.of("value")),
            Map.entry("PrimitiveInt", List.of("value")),
            Map.entry("PrimitiveFloat", List.of("value")));
    private static final String HANDS_ON = "Reroute";
    private static final int MUTED = 2;
    private static final int BYPASSED = 4;
    /** Identifiers of a subgraph's own ends. */
    private static final int INPUTS = -10;
    private static final int OUTPUTS = -20;
    /** Subgraphs in each other, and nodes and subgraphs of all together, since some have no nodes. */
    private static final int DEEPEST = 16;
    private static final int MOST = 10_000;

    private final Map<String, JsonNode> subgraphs = new HashMap<>();
    private final Map<String, Node> nodes = new LinkedHashMap<>();
    private int added;

    private ComfyWorkflow() {
    }

    /** Null when it has no nodes. */
    static ComfyGraph read(JsonNode json) {
        ComfyWorkflow workflow = new ComfyWorkflow();
        for (JsonNode subgraph : json.path("definitions").path("subgraphs")) {
            workflow.subgraphs.put(subgraph.path("id").asText(), subgraph);
        }
        workflow.add(json, "", Map.of(), 0);
        return workflow.nodes.isEmpty() ? null : new ComfyGraph(workflow.nodes);
    }

    /**
     * Adds the nodes of a graph.
     *
     * @param prefix of their identifiers, with which ends of a subgraph are told apart too
     * @param values of widgets that the node which stands for it shows, by inner node and name
     */
    private void add(JsonNode graph, String prefix, Map<List<String>, JsonNode> values, int depth) {
        Set<String> parts = new HashSet<>();
        for (JsonNode node : graph.path("nodes")) {
            if (depth < DEEPEST && subgraphs.containsKey(node.path("type").asText())
                    && node.path("mode").asInt() == 0) {
                parts.add(node.path("id").asText());
            }
        }
        Map<String, JsonNode> links = links(graph, prefix, parts);
        for (JsonNode link : graph.path("links")) {
            if (link.path("target_id").asInt() == OUTPUTS && links.containsKey(link.path("id").asText())) {
                handOn(end(prefix, OUTPUTS, link.path("target_slot").asInt()), links.get(link.path("id").asText()));
            }
        }
        for (JsonNode node : graph.path("nodes")) {
            int mode = node.path("mode").asInt();
            if (!node.path("type").isTextual() || !node.has("id") || mode == MUTED || nodes.size() + added > MOST) {
                continue;
            }
            String id = node.get("id").asText();
            ObjectNode inputs = inputs(node, links);
            if (parts.contains(id)) {
                subgraph(node, prefix + id + ":", inputs, depth);
                continue;
            }
            values.forEach((place, value) -> {
                if (place.getFirst().equals(id)) {
                    inputs.set(place.getLast(), value);
                }
            });
            nodes.put(prefix + id, new Node(prefix + id, mode == BYPASSED ? "" : node.get("type").textValue(),
                    inputs));
        }
    }

    /** Adds a subgraph for the node that stands for it. */
    private void subgraph(JsonNode node, String prefix, ObjectNode inputs, int depth) {
        added++;
        JsonNode graph = subgraphs.get(node.get("type").textValue());
        JsonNode shown = node.path("properties").path("proxyWidgets");
        JsonNode given = node.path("widgets_values");
        Map<List<String>, JsonNode> values = new HashMap<>();
        for (int i = 0; i < shown.size() && shown.size() == given.size(); i++) {
            String place = shown.get(i).path(0).asText();
            String name = shown.get(i).path(1).asText();
            if (place.equals("-1") && !inputs.has(name)) {
                inputs.set(name, given.get(i));
            } else {
                values.put(List.of(place, name), given.get(i));
            }
        }
        for (int slot = 0; slot < graph.path("inputs").size(); slot++) {
            JsonNode value = inputs.get(graph.get("inputs").get(slot).path("name").asText());
            if (value != null) {
                handOn(end(prefix, INPUTS, slot), value);
            }
        }
        add(graph, prefix, values, depth + 1);
    }

    private static String end(String prefix, int side, int slot) {
        return prefix + side + ":" + slot;
    }

    private void handOn(String id, JsonNode value) {
        nodes.put(id, new Node(id, HANDS_ON, JsonTree.object().set("value", value)));
    }

    /** Where each link of a graph comes from, by its number. */
    private Map<String, JsonNode> links(JsonNode graph, String prefix, Set<String> parts) {
        Map<String, JsonNode> links = new HashMap<>();
        for (JsonNode link : graph.path("links")) {
            JsonNode id = link.isArray() ? link.get(0) : link.get("id");
            JsonNode from = link.isArray() ? link.get(1) : link.get("origin_id");
            JsonNode slot = link.isArray() ? link.get(2) : link.get("origin_slot");
            if (id == null || from == null || slot == null) {
                continue;
            }
            boolean outer = from.asInt() == INPUTS;
            String end = outer ? end(prefix, INPUTS, slot.asInt())
                    : parts.contains(from.asText()) ? end(prefix + from.asText() + ":", OUTPUTS, slot.asInt()) : null;
            if (!outer || nodes.containsKey(end)) {
                links.put(id.asText(), end == null ? JsonTree.array(prefix + from.asText(), slot.asInt())
                        : JsonTree.array(end, 0));
            }
        }
        return links;
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
}
