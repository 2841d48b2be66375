package jdiffusion.model.settings;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.InputException;

/** InvokeAI: JSON in the text {@code invokeai_metadata}, and in {@code sd-metadata} before version 3. */
final class InvokeAi {
    private static final String KEYWORD = "invokeai_metadata";
    private static final String OLD_KEYWORD = "sd-metadata";
    private static final String TOOL = "InvokeAI";
    private static final Set<String> FROM_PICTURES = Set.of("img2img", "sdxl_img2img", "flux_img2img", "sd3_img2img");
    /** What is between brackets in an old prompt is the negative one. */
    private static final Pattern NEGATIVE = Pattern.compile("\\[([^\\[\\]]*)]");

    /** (more)1.2, (more)+ and less--. */
    private static final Pattern WEIGHTS = Pattern.compile("\\)[\\d.+-]|[\\p{L}\\d)]([+]+|--+)(?=[\\s,.)]|$)");

    private InvokeAi() {
    }

    static FoundSettings read(PictureTexts texts) {
        String keyword = texts.get(KEYWORD) != null ? KEYWORD : OLD_KEYWORD;
        if (texts.get(keyword) == null) {
            return null;
        }
        JsonNode json = texts.json(keyword);
        if (json == null) {
            throw new InputException(texts.file() + ": " + TOOL + "'s settings in the text '" + keyword
                    + "' are no JSON object; give them as options instead of --from");
        }
        Fields fields = new Fields(json);
        String version = fields.text("app_version");
        Finding found = new Finding(texts.file(), version == null ? TOOL : TOOL + " " + version);
        return keyword.equals(KEYWORD) ? read(fields, found) : readOld(fields, found);
    }

    private static FoundSettings read(Fields fields, Finding found) {
        found.prompt(fields.text("positive_prompt"));
        found.negativePrompt(fields.text("negative_prompt"));
        common(fields, found);
        // What SDXL's second encoder reads, where there is some.
        found.secondPrompts(fields.text("positive_style_prompt"), fields.text("negative_style_prompt"));
        found.sampler(fields.text("scheduler"));
        found.embedded(fields.text("guidance"));
        found.model(name(fields.node("model")));
        JsonNode loras = fields.node("loras");
        if (loras != null) {
            for (JsonNode lora : loras) {
                found.lora(name(lora.has("model") ? lora.get("model") : lora.get("lora")),
                        Fields.text(lora.get("weight")));
            }
        }
        String mode = fields.text("generation_mode");
        boolean masked = mode != null && (mode.contains("inpaint") || mode.contains("outpaint"));
        String strength = fields.text("strength", "denoising_strength");
        JsonNode init = fields.node("init_image");
        if (masked || init != null || mode != null && FROM_PICTURES.contains(mode)) {
            found.init(strength);
        }
        if (masked) {
            found.mask();
        }
        JsonNode controls = fields.node("controlnets");
        if (controls != null && !controls.isEmpty()) {
            found.more("controlnets", controls.toString());
        }
        found.noteText(WEIGHTS, "has weights of " + TOOL + "'s form");
        fields.rest(found);
        return found.done();
    }

    private static FoundSettings readOld(Fields all, Finding found) {
        found.model(all.text("model_weights"));
        JsonNode image = all.node("image");
        Fields fields = new Fields(image == null ? JsonTree.object() : image);
        JsonNode prompts = fields.node("prompt");
        String prompt = prompts != null && prompts.isArray() ? Fields.text(prompts.path(0).get("prompt"))
                : Fields.text(prompts);
        Matcher negative = NEGATIVE.matcher(prompt == null ? "" : prompt);
        if (negative.find()) {
            found.negativePrompt(negative.group(1));
            prompt = negative.replaceFirst("").strip();
        }
        found.prompt(prompt);
        common(fields, found);
        found.sampler(fields.text("sampler"));
        if ("img2img".equals(fields.text("type"))) {
            found.init(fields.text("strength"));
        }
        fields.rest(found);
        return found.done();
    }

    private static void common(Fields fields, Finding found) {
        found.steps(fields.text("steps"));
        found.guidance(fields.text("cfg_scale"));
        found.seed(fields.text("seed"));
        found.size(fields.text("width"), fields.text("height"));
    }

    private static String name(JsonNode model) {
        return model == null ? null : model.isObject() ? new Fields(model).text("name", "model_name")
                : Fields.text(model);
    }
}
