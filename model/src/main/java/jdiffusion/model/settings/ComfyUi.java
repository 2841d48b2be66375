package jdiffusion.model.settings;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdiffusion.model.JsonTree;
import jdiffusion.model.family.PromptWeights;
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
    private static final int DEEPEST = ComfyValues.DEEPEST;
    private static final String[] LATENTS = {"latent_image", "samples", "latent", "latents"};

    private final PictureTexts texts;
    private final ComfyGraph graph;
    private final Finding found;
    private final ComfyValues values;
    /** The nodes that the prompt's text encoders come through. */
    private final Set<String> encoders = new HashSet<>();

    private ComfyUi(PictureTexts texts, ComfyGraph graph) {
        this.texts = texts;
        this.graph = graph;
        this.found = new Finding(texts.file(), TOOL);
        this.values = new ComfyValues(graph, found, texts.file().toString());
    }

    static FoundSettings read(PictureTexts texts) {
        JsonNode prompt = texts.json(PROMPT);
        JsonNode workflow = texts.json(WORKFLOW);
        JsonNode comment = texts.json(PictureTexts.PARAMETERS); // Civitai's generator
        ComfyGraph commented = comment == null ? null : ComfyGraph.ofPrompt(comment);
        if (commented != null) {
            return new ComfyUi(texts, commented).read();
        }
        if (prompt == null && workflow == null && !isDamaged(texts, PROMPT) && !isDamaged(texts, WORKFLOW)) {
            return null;
        }
        ComfyGraph graph = prompt == null ? null : ComfyGraph.ofPrompt(prompt);
        if (graph == null && workflow != null) {
            graph = ComfyWorkflow.read(workflow);
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
        Node spaced = spaced(sampler);
        Node method = graph.follow(sampler.input("sampler"));
        Node noise = graph.follow(sampler.input("noise"));
        found.prompt(condition(conditioned.input("positive", "conditioning"), "positive"));
        JsonNode negative = conditioned.input("negative");
        found.negativePrompt(negative == null ? "" : condition(negative, "negative"));
        found.steps(values.number(spaced.input("steps")));
        String cfg = values.number(conditioned.input("cfg"));
        found.guidance(cfg == null && guider != null ? "1" : cfg);
        found.seed(values.number((noise == null ? sampler : noise).input("noise_seed", "seed")));
        schedule(spaced);
        if (method != null && method.input("sampler_name") == null) {
            samplerByClass(method);
        } else {
            found.sampler(values.name((method == null ? sampler : method).input("sampler_name")));
        }
        latents(sampler.input(LATENTS), values.number(spaced.input("denoise")));
        part(sampler, noise);
        new ComfyModel(values, encoders).read(conditioned.input("model") == null ? sampler.input("model")
                : conditioned.input("model"));
        after(sampler);
        found.weights(PromptWeights.COMFYUI);
        return found.done();
    }

    /** A node that is for one sampler, such as SamplerEulerAncestral, with the sampler's own settings. */
    private void samplerByClass(Node method) {
        String name = method.type().replaceFirst("^Sampler", "").replaceAll("(?<=[a-z])(?=[A-Z])", " ");
        if (Names.of(name).sampler() == null) {
            found.note("the sampler's node " + method.type() + " of " + texts.file() + " is not read; the default is"
                    + " used");
            return;
        }
        found.sampler(name);
        found.more("Eta", values.number(method.input("eta")));
        String noise = values.number(method.input("s_noise"));
        if (noise != null && !noise.equals("1")) {
            found.more("s_noise", noise);
        }
    }

    /** Names what worked on the picture between the sampler and the file. */
    private void after(Node sampler) {
        Set<String> saved = saved();
        Map<String, List<Node>> users = new HashMap<>();
        graph.nodes().values().stream().filter(node -> saved.contains(node.id())).forEach(node -> node.inputs()
                .forEach(value -> {
                    Node from = graph.follow(value);
                    if (from != null) {
                        users.computeIfAbsent(from.id(), _ -> new ArrayList<>()).add(node);
                    }
                }));
        List<Node> open = new ArrayList<>(List.of(sampler));
        Set<String> seen = new HashSet<>(Set.of(sampler.id()));
        while (!open.isEmpty()) {
            for (Node node : users.getOrDefault(open.removeLast().id(), List.of())) {
                if (seen.add(node.id())) {
                    open.add(node);
                    if (!isSampler(node) && !node.type().contains("Save") && !node.type().startsWith("VAEDecode")) {
                        values.ignored(node);
                    }
                }
            }
        }
    }

    /** The nodes whose work is in a file that was saved. */
    private Set<String> saved() {
        Set<String> saved = new HashSet<>();
        graph.nodes().values().stream().filter(node -> node.type().contains("Save"))
                .forEach(node -> saved.addAll(graph.before(node)));
        return saved;
    }

    /** Where steps and schedule stand: in the sampler, or behind nodes that change the noise levels. */
    private Node spaced(Node sampler) {
        JsonNode link = sampler.input("sigmas");
        Node node = sampler;
        for (int i = 0; i < DEEPEST && link != null; i++) {
            Node next = graph.follow(link);
            node = next == null ? node : next;
            link = node.input("steps") != null ? null : node.input("sigmas");
            if (link != null) {
                values.ignored(node);
            }
        }
        if (node.input("steps") == null) {
            found.note("the noise levels of " + texts.file() + " come from a node that is not read, '"
                    + InputException.shown(node.type()) + "'; the default's are used");
        }
        return node;
    }

    /** The schedule by its name, or by that of a node that is for one alone, such as KarrasScheduler. */
    private void schedule(Node spaced) {
        JsonNode scheduler = spaced.input("scheduler");
        if (scheduler != null) {
            found.schedule(values.name(scheduler));
        } else if (spaced.input("steps") != null) {
            found.schedule(spaced.type().replaceFirst("(Sampling)?Scheduler$", ""));
        }
    }

    /** Notes when the picture is not all steps of the seed's noise. */
    private void part(Node sampler, Node noise) {
        String start = values.number(sampler.input("start_at_step"));
        if (start != null && !start.equals("0")) {
            found.note(texts.file() + " began at step " + start + " of another pass, which is not repeated");
        }
        String end = values.number(sampler.input("end_at_step"));
        String steps = values.number(sampler.input("steps"));
        if (end != null && steps != null && !end.equals("10000") && !end.equals(steps)) {
            found.note(texts.file() + " ended at step " + end + " of " + steps + "; all steps are drawn");
        }
        JsonNode added = sampler.input("add_noise");
        if (added != null && (added.asText().equals("disable") || added.asText().equals("false"))
                || noise != null && noise.input("noise_seed", "seed") == null) {
            found.note(texts.file() + " was drawn without noise of its own, by '"
                    + InputException.shown((noise == null ? sampler : noise).type()) + "'; noise is added here");
        }
    }

    /** The sampler whose picture was saved; of several in a row the first. */
    private Node sampler() {
        List<Node> all = graph.nodes().values().stream().filter(ComfyUi::isSampler).toList();
        Set<String> saved = saved();
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
            if (role.equals("positive")) {
                found.embedded(values.number(node.input("guidance")));
            }
            String text = encoded(node, role);
            if (text != null) {
                told(node, role);
                return text;
            }
            value = node.input(role, "conditioning", "conditioning_1", "conditioning_to", "base");
            boolean second = node.input("conditioning_2", "conditioning_from") != null;
            if (node.input("guidance") == null && !second && !(value != null && value.isTextual())) {
                values.ignored(node);
            }
            if (second) {
                found.note("a second prompt that " + node.type() + " of " + texts.file() + " adds is left out");
            }
            if (value != null && value.isTextual()) {
                return value.textValue();
            }
        }
        throw unreadable(texts, "has its " + role + " prompt from "
                + (graph.follow(link) == null ? "nowhere" : "a node that is not read" + values.type(link)));
    }

    /** What an encoding node says beside its text: sizes and crops of SDXL, layers of CLIP to leave out. */
    private void told(Node node, String role) {
        boolean positive = role.equals("positive");
        if (node.type().startsWith("CLIPTextEncodeSDXL")) {
            told(positive ? "Original size" : "Negative original size", node, "width", "x", "height");
            told(positive ? "Crop top left" : "Negative crop top left", node, "crop_h", ",", "crop_w");
            told(positive ? "Target size" : "Negative target size", node, "target_width", "x", "target_height");
        }
        JsonNode clip = node.input("clip");
        for (int i = 0; i < DEEPEST && clip != null && positive; i++) {
            Node next = graph.follow(clip);
            if (next == null) {
                return;
            }
            encoders.add(next.id());
            JsonNode layer = next.input("stop_at_clip_layer", "clip_skip");
            String number = layer == null ? null : values.number(layer);
            if ("-1".equals(number)) {
                found.note(texts.file() + " reads CLIP at its last layer; here it is read at the usual one");
            } else if (number != null) {
                found.more("Clip skip", number.replaceFirst("^-", ""));
            }
            clip = next.input("clip");
        }
    }

    private void told(String name, Node node, String first, String separator, String second) {
        String one = node.input(first) == null ? null : values.number(node.input(first));
        String other = node.input(second) == null ? null : values.number(node.input(second));
        if (one != null && other != null) {
            found.more(name, one + separator + other);
        }
    }

    /** What a node encodes; null when it is none that encodes. A second encoder of SDXL or FLUX.1 has its own text. */
    private String encoded(Node node, String role) {
        if (node.input("clip") == null && node.input("t5xxl", "text_g") == null && node.input("text") == null) {
            return null;
        }
        List<String> different = new ArrayList<>();
        for (String name : List.of("text", "t5xxl", "clip_g", "text_g", "clip_l", "text_l")) {
            JsonNode value = node.input(name);
            String text = values.text(value);
            if (value != null && text == null) {
                throw unreadable(texts, "has a text from a node that is not read" + values.type(value));
            }
            if (text != null && !different.contains(text)) {
                different.add(text);
            }
        }
        boolean two = different.size() == 2 && node.input("clip_g", "text") == null;
        if (two) {
            found.more(role.equals("positive") ? Finding.PROMPT_2 : Finding.NEGATIVE_2, different.getFirst());
            return different.getLast();
        }
        List<String> said = different.stream().filter(text -> !text.isBlank()).toList();
        if (said.size() > 1) {
            found.note("the text encoders of " + texts.file() + " got different texts; that of '" + node.type()
                    + "' which comes first is used for all");
        }
        return said.isEmpty() ? different.isEmpty() ? null : "" : said.getFirst();
    }

    /** Where the latents come from: a size, or a picture. */
    private void latents(JsonNode link, String denoise) {
        JsonNode value = link;
        for (int i = 0; i < DEEPEST; i++) {
            Node node = graph.follow(value);
            if (node == null) {
                noSize(link);
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
                empty(node, denoise);
                return;
            }
            if (node.input("mask") == null) {
                values.ignored(node);
            }
        }
    }

    /** A node that makes latents of a size. */
    private void empty(Node node, String denoise) {
        String width = side(node, "width");
        String height = side(node, "height");
        if (width == null || height == null) {
            // Of one that is there, and cannot be read, it is said.
            if (node.input("width", "height") == null) {
                noSize(JsonTree.array(node.id(), 0));
            }
        } else {
            found.size(width, height);
        }
        String count = values.number(node.input("batch_size"));
        if (count != null && !count.equals("1")) {
            found.note(texts.file() + " is one of " + InputException.shown(count)
                    + " pictures of one seed; the first is drawn");
        }
        if (denoise != null && !denoise.equals("1")) {
            found.note(texts.file() + " was drawn from nothing with the strength " + InputException.shown(denoise)
                    + "; here it is 1");
        }
    }

    private void noSize(JsonNode link) {
        found.note("the size of " + texts.file() + " comes from a node that is not read" + values.type(link)
                + "; the default is used");
    }

    private String side(Node node, String name) {
        JsonNode value = node.input(name, "empty_latent_" + name);
        Node from = graph.follow(value);
        return from != null && from.input(name) != null ? values.number(from.input(name)) : values.number(value);
    }
}
