package jdiffusion.model.settings;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Set;
import jdiffusion.model.settings.ComfyGraph.Node;

/**
 * What ComfyUI's graph does with the model, from the sampler back to its file.
 *
 * @param encoders the nodes that the prompt's text encoders come through
 */
record ComfyModel(ComfyValues values, Set<String> encoders) {
    /** LoRAs, shift and checkpoint, from the sampler back. */
    void read(JsonNode link) {
        JsonNode value = link;
        for (int i = 0; i < ComfyValues.DEEPEST; i++) {
            Node node = values.graph().follow(value);
            if (node == null) {
                return;
            }
            boolean read = loras(node) | layers(node);
            if (node.type().startsWith("ModelSampling") && node.input("shift") != null) {
                values.found().shift(values.number(node.input("shift")));
                read = true;
            }
            // FLUX.1's own shift by the picture's size.
            read |= node.type().equals("ModelSamplingFlux") && "1.15".equals(values.number(node.input("max_shift")))
                    && "0.5".equals(values.number(node.input("base_shift")));
            JsonNode file = node.input("ckpt_name", "unet_name", "model_name");
            values.found().model(file == null ? null : values.name(file));
            if (!read && file == null) {
                values.ignored(node);
            }
            value = node.input("model");
        }
    }

    /** Whether the node adds LoRAs, or could. */
    private boolean loras(Node node) {
        JsonNode lora = node.input("lora_name");
        if (lora != null) {
            JsonNode text = encoders.contains(node.id()) ? node.input("strength_clip", "lora_clip_strength") : null;
            values.found().lora(values.name(lora), values.number(node.input("strength_model", "strength",
                    "lora_model_strength")), text == null ? null : values.number(text));
        }
        boolean several = false;
        for (JsonNode part : node.inputs()) {
            if (part.isObject() && part.has("lora")) {
                several = true;
                if (part.path("on").asBoolean(true)) {
                    values.found().lora(Fields.text(part.get("lora")), Fields.text(part.get("strength")),
                            Fields.text(part.get("strengthTwo")));
                }
            }
        }
        for (JsonNode part : node.inputs().path("loras").path("__value__")) { // LoRA Manager's
            several = true;
            if (part.path("active").asBoolean(true)) {
                values.found().lora(Fields.text(part.get("name")), Fields.text(part.get("strength")),
                        Fields.text(part.get("clipStrength")));
            }
        }
        JsonNode stack = node.input("lora_stack");
        if (stack != null) {
            values.found().note("the LoRAs of " + values.file() + " that come from a node that is not read"
                    + values.type(stack) + ", are left out");
        }
        return lora != null || several || node.type().startsWith("Power Lora Loader");
    }

    /** Whether the node is for skip-layer guidance of SD3. */
    private boolean layers(Node node) {
        if (!node.type().equals("SkipLayerGuidanceSD3")) {
            return false;
        }
        values.found().more("Skip layers", values.text(node.input("layers")));
        values.found().more("SLG scale", values.number(node.input("scale")));
        values.found().more("Skip layer start", values.number(node.input("start_percent")));
        values.found().more("Skip layer end", values.number(node.input("end_percent")));
        return true;
    }
}
