package jdiffusion.model.settings;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import jdiffusion.model.settings.ComfyGraph.Node;
import jdiffusion.tensor.InputException;

/**
 * ComfyUI: its graph in the text "prompt", and as it is shown in "workflow". The settings are those of a sampler's
 * node, and of what its links lead to; other nodes are passed through where an input tells how.
 */
final class ComfyUi {
    private static final String TOOL = "ComfyUI";
    private static final String PROMPT = "prompt";
    private static final String WORKFLOW = "workflow";
    /** Nodes in a row that are followed. */
    private static final int DEEPEST = 64;
    private static final String[] TEXTS = {"populated_text", "text", "string", "value", "Text", "text_0"};
    private static final String[] NUMBERS = {"value", "seed", "noise_seed", "int", "number", "Value", "Number",
        "float"};
    private static final String[] LATENTS = {"latent_image", "samples", "latent", "latents"};

    private final PictureTexts texts;
    private final ComfyGraph graph;
    private final Finding found;

    private ComfyUi(PictureTexts texts, ComfyGraph graph) {
        this.texts = texts;
        this.graph = graph;
        this.found = new Finding(texts.file(), TOOL);
    }

    static FoundSettings read(PictureTexts texts) {
        JsonNode prompt = texts.json(PROMPT);
        JsonNode workflow = texts.json(WORKFLOW);
        if (prompt == null && workflow == null && !isDamaged(texts, PROMPT) && !isDamaged(texts, WORKFLOW)) {
            return null;
        }
        ComfyGraph graph = prompt == null ? null : ComfyGraph.ofPrompt(prompt);
        if (graph == null && workflow != null) {
            graph = ComfyGraph.ofWorkflow(workflow);
        }
        if (graph == null) {
            throw unreadable(texts, "has no nodes that can be read");
        }
        return new ComfyUi(texts, graph).read();
    }

    private static boolean isDamaged(PictureTexts texts, String keyword) {
        return texts.get(keyword) != null && texts.get(keyword).strip().startsWith("{");
    }

    private static InputException unreadable(PictureTexts texts, String why) {
        return new InputException(texts.file() + ": " + TOOL + "'s graph " + why
                + "; give the settings as options instead of --from");
    }

    private FoundSettings read() {
        Node sampler = sampler();
        Node guider = graph.follow(sampler.input("guider"));
        Node conditioned = guider == null ? sampler : guider;
        Node sigmas = graph.follow(sampler.input("sigmas"));
        Node spaced = sigmas == null ? sampler : sigmas;
        Node method = graph.follow(sampler.input("sampler"));
        Node noise = graph.follow(sampler.input("noise"));
        found.prompt(condition(conditioned.input("positive", "conditioning"), "positive"));
        JsonNode negative = conditioned.input("negative");
        found.negativePrompt(negative == null ? "" : condition(negative, "negative"));
        found.steps(number(spaced.input("steps")));
        String cfg = number(conditioned.input("cfg"));
        found.guidance(cfg == null && guider != null ? "1" : cfg);
        found.seed(number((noise == null ? sampler : noise).input("noise_seed", "seed")));
        found.schedule(name(spaced.input("scheduler")));
        found.sampler(name((method == null ? sampler : method).input("sampler_name")));
        if (method != null && method.input("sampler_name") == null) {
            found.note("the sampler's node " + method.type() + " of " + texts.file() + " is not read; the default is"
                    + " used");
        }
        latents(sampler.input(LATENTS), number(spaced.input("denoise")));
        String start = number(sampler.input("start_at_step"));
        if (start != null && !start.equals("0")) {
            found.note(texts.file() + " began at step " + start + " of another pass, which is not repeated");
        }
        model(conditioned.input("model") == null ? sampler.input("model") : conditioned.input("model"));
        return found.done();
    }

    /** The sampler whose picture was saved; of several in a row the first. */
    private Node sampler() {
        List<Node> all = graph.nodes().values().stream().filter(ComfyUi::isSampler).toList();
        Set<String> saved = new HashSet<>();
        graph.nodes().values().stream().filter(node -> node.type().contains("Save"))
                .forEach(node -> saved.addAll(graph.before(node)));
        List<Node> used = all.stream().filter(node -> saved.contains(node.id())).toList();
        List<Node> firsts = new ArrayList<>();
        for (Node node : used.isEmpty() ? all : used) {
            Node from = graph.follow(node.input(LATENTS));
            Set<String> before = from == null ? Set.of() : graph.before(from);
            if (all.stream().noneMatch(other -> before.contains(other.id()))) {
                firsts.add(node);
            }
        }
        if (firsts.isEmpty()) {
            throw unreadable(texts, "has no sampler of a known kind (KSampler, KSamplerAdvanced, SamplerCustom,"
                    + " SamplerCustomAdvanced)");
        }
        int passes = used.isEmpty() ? all.size() : used.size();
        if (passes > 1) {
            found.note(texts.file() + " was drawn in " + passes + " passes; only that of node "
                    + InputException.shown(firsts.getFirst().id()) + " is repeated");
        }
        return firsts.getFirst();
    }

    private static boolean isSampler(Node node) {
        return node.input(LATENTS) != null && (node.input("sampler_name") != null && node.input("positive") != null
                || node.input("sampler") != null && node.input("sigmas") != null);
    }

    /** The text behind a link to an encoded prompt. */
    private String condition(JsonNode link, String role) {
        JsonNode value = link;
        for (int i = 0; i < DEEPEST; i++) {
            Node node = graph.follow(value);
            if (node == null) {
                break;
            }
            if (node.type().equals("ConditioningZeroOut")) {
                return "";
            }
            if (node.type().startsWith("ControlNet")) {
                found.more("ControlNet", node.type());
            }
            String text = encoded(node);
            if (text != null) {
                return text;
            }
            value = node.input(role, "conditioning", "conditioning_1", "conditioning_to", "base");
            if (node.input("conditioning_2", "conditioning_from") != null) {
                found.note("a second prompt that " + node.type() + " of " + texts.file() + " adds is left out");
            }
            if (value != null && value.isTextual()) {
                return value.textValue();
            }
        }
        throw unreadable(texts, "has its " + role + " prompt from "
                + (graph.follow(link) == null ? "nowhere" : "a node that is not read" + type(link)));
    }

    /** What a node encodes; null when it is none that encodes. */
    private String encoded(Node node) {
        if (node.input("clip") == null && node.input("t5xxl", "text_g") == null && node.input("text") == null) {
            return null;
        }
        String first = null;
        for (String name : List.of("text", "t5xxl", "clip_g", "text_g", "clip_l", "text_l")) {
            JsonNode value = node.input(name);
            String text = text(value);
            if (value != null && text == null) {
                throw unreadable(texts, "has a text from a node that is not read" + type(value));
            }
            if (first == null || first.isBlank()) {
                first = text == null ? first : text;
            } else if (text != null && !text.isBlank() && !text.equals(first)) {
                found.note("the text encoders of " + texts.file() + " got different texts; that of '" + node.type()
                        + "' which comes first is used for all");
            }
        }
        return first;
    }

    /** A text, or one behind links; null for anything else. */
    private String text(JsonNode value) {
        JsonNode next = value;
        for (int i = 0; i < DEEPEST && next != null; i++) {
            if (next.isTextual()) {
                return next.textValue();
            }
            Node node = graph.follow(next);
            next = node == null ? null : node.input(TEXTS);
        }
        return null;
    }

    /** The same for a name; null, with a note, when it is there and cannot be read. */
    private String name(JsonNode value) {
        String text = text(value);
        if (text == null && value != null) {
            found.note("a name in " + TOOL + "'s graph of " + texts.file() + " comes from a node that is not read"
                    + type(value) + "; the default is used");
        }
        return text;
    }

    /** A number, or one behind links; null when there is none, with a note when it cannot be read. */
    private String number(JsonNode value) {
        JsonNode next = value;
        for (int i = 0; i < DEEPEST && next != null; i++) {
            if (next.isValueNode()) {
                return Fields.text(next);
            }
            Node node = graph.follow(next);
            next = node == null ? null : node.input(NUMBERS);
        }
        if (value != null) {
            found.note("a number in " + TOOL + "'s graph of " + texts.file() + " comes from a node that is not read"
                    + type(value) + "; the default is used");
        }
        return null;
    }

    /** The class of the node that a link leads to, for messages. */
    private String type(JsonNode link) {
        Node node = graph.follow(link);
        return node == null ? "" : ", '" + InputException.shown(node.type()) + "'";
    }

    /** Where the latents come from: a size, or a picture. */
    private void latents(JsonNode link, String denoise) {
        JsonNode value = link;
        for (int i = 0; i < DEEPEST; i++) {
            Node node = graph.follow(value);
            if (node == null) {
                return;
            }
            if (node.input("mask") != null) {
                found.mask();
            }
            if (node.input("pixels", "image") != null) {
                found.init(denoise);
                return;
            }
            value = node.input(LATENTS);
            if (value == null) {
                found.size(side(node, "width"), side(node, "height"));
                String count = number(node.input("batch_size"));
                if (count != null && !count.equals("1")) {
                    found.note(texts.file() + " is one of " + InputException.shown(count)
                            + " pictures of one seed; the first is drawn");
                }
                return;
            }
        }
    }

    private String side(Node node, String name) {
        JsonNode value = node.input(name, "empty_latent_" + name);
        Node from = graph.follow(value);
        return from != null && from.input(name) != null ? number(from.input(name)) : number(value);
    }

    /** LoRAs, shift and checkpoint, from the sampler back. */
    private void model(JsonNode link) {
        JsonNode value = link;
        for (int i = 0; i < DEEPEST; i++) {
            Node node = graph.follow(value);
            if (node == null) {
                return;
            }
            JsonNode lora = node.input("lora_name");
            if (lora != null) {
                found.lora(name(lora), number(node.input("strength_model", "strength")));
            }
            for (JsonNode part : node.inputs()) {
                if (part.isObject() && part.has("lora") && part.path("on").asBoolean(true)) {
                    found.lora(Fields.text(part.get("lora")), Fields.text(part.get("strength")));
                }
            }
            found.shift(node.type().startsWith("ModelSampling") ? number(node.input("shift")) : null);
            JsonNode file = node.input("ckpt_name", "unet_name", "model_name");
            found.model(file == null ? null : name(file));
            value = node.input("model");
        }
    }
}
