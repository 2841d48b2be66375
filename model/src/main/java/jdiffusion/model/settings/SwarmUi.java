package jdiffusion.model.settings;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.family.PromptWeights;

/** SwarmUI and StableSwarmUI: JSON with {@code sui_image_params} in the text "parameters". */
final class SwarmUi {
    private static final String PARAMETERS = "sui_image_params";

    private SwarmUi() {
    }

    static FoundSettings read(PictureTexts texts) {
        JsonNode json = texts.json(PictureTexts.PARAMETERS);
        if (json == null || json.get(PARAMETERS) == null) {
            return null;
        }
        Fields fields = new Fields(json.get(PARAMETERS));
        String version = fields.text("swarm_version");
        Finding found = new Finding(texts.file(), version == null ? "SwarmUI" : "SwarmUI " + version);
        found.prompt(fields.text("prompt"));
        found.negativePrompt(fields.text("negativeprompt"));
        found.steps(fields.text("steps"));
        found.guidance(fields.text("cfgscale"));
        found.seed(fields.text("seed"));
        found.size(fields.text("width"), fields.text("height"));
        found.schedule(fields.text("scheduler", "comfyuischeduler"));
        found.sampler(fields.text("sampler", "comfyuisampler", "autowebuisampler"));
        found.shift(fields.text("sigmashift"));
        found.embedded(fields.text("fluxguidancescale"));
        String layer = fields.text("clipstopatlayer");
        found.more("Clip skip", layer == null ? null : layer.replaceFirst("^-", ""));
        found.model(fields.text("model"));
        List<String> weights = list(fields.node("loraweights"));
        int i = 0;
        for (String name : list(fields.node("loras"))) {
            found.lora(name, i < weights.size() ? weights.get(i) : null);
            i++;
        }
        JsonNode init = fields.node("initimage");
        String strength = fields.text("initimagecreativity");
        if (init != null || strength != null) {
            found.init(strength);
        }
        if (fields.node("maskimage") != null) {
            found.mask();
        }
        found.weights(PromptWeights.COMFYUI);
        fields.rest(found);
        return found.done();
    }

    /** A list, or a text with commas between its parts. */
    private static List<String> list(JsonNode node) {
        List<String> all = new ArrayList<>();
        if (node != null && node.isArray()) {
            node.forEach(part -> all.add(Fields.text(part)));
        } else if (Fields.text(node) instanceof String text && !text.isBlank()) {
            all.addAll(List.of(text.split("\\s*,\\s*")));
        }
        return all;
    }
}
