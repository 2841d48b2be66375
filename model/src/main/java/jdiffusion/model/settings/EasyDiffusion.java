package jdiffusion.model.settings;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.JsonTree;

/**
 * Easy Diffusion: in PNG files a text for each setting, in JPEG and WebP files all of them as JSON in the user's
 * comment; named as in its requests, or as it shows them.
 */
final class EasyDiffusion {
    private static final String MODEL = "use_stable_diffusion_model";
    private static final String SHOWN_MODEL = "Stable Diffusion model";
    /** Python's null as a text. */
    private static final String NONE = "None";

    private EasyDiffusion() {
    }

    static FoundSettings read(PictureTexts texts) {
        JsonNode json = texts.json(PictureTexts.PARAMETERS);
        JsonNode all = json == null ? ofTexts(texts) : json;
        if (!all.has(MODEL) && !all.has(SHOWN_MODEL)) {
            return null;
        }
        Fields fields = new Fields(all);
        Finding found = new Finding(texts.file(), "Easy Diffusion");
        found.prompt(fields.text("prompt", "Prompt"));
        found.negativePrompt(fields.text("negative_prompt", "Negative Prompt"));
        found.steps(fields.text("num_inference_steps", "Steps"));
        found.guidance(fields.text("guidance_scale", "Guidance Scale"));
        found.embedded(fields.text("distilled_guidance_scale", "Distilled Guidance"));
        found.seed(fields.text("seed", "Seed"));
        found.size(fields.text("width", "Width"), fields.text("height", "Height"));
        found.schedule(fields.text("scheduler_name", "Scheduler"));
        found.sampler(fields.text("sampler_name", "Sampler"));
        found.model(fields.text(MODEL, SHOWN_MODEL));
        found.more("Clip skip", "True".equalsIgnoreCase(fields.text("clip_skip", "Clip Skip")) ? "2" : null);
        List<String> weights = list(fields.node("lora_alpha", "LoRA Strength"));
        List<String> loras = list(fields.node("use_lora_model", "LoRA model"));
        for (int i = 0; i < loras.size(); i++) {
            found.lora(loras.get(i), i < weights.size() ? weights.get(i) : null);
        }
        String strength = fields.text("prompt_strength", "Prompt Strength");
        if (strength != null) {
            found.init(strength);
        }
        fields.rest(found);
        return found.done();
    }

    private static ObjectNode ofTexts(PictureTexts texts) {
        ObjectNode all = JsonTree.object();
        texts.texts().forEach((name, text) -> {
            if (!text.equals(NONE)) {
                all.put(name, text);
            }
        });
        return all;
    }

    /** A list, a text that is one in Python's form, or one value. */
    private static List<String> list(JsonNode node) {
        List<String> all = new ArrayList<>();
        if (node != null && node.isArray()) {
            node.forEach(part -> all.add(Fields.text(part)));
        } else if (Fields.text(node) instanceof String text) {
            for (String part : text.replaceAll("^\\[|]$", "").split(",")) {
                all.add(part.strip().replaceAll("^'(.*)'$|^\"(.*)\"$", "$1$2"));
            }
        }
        return all;
    }
}
