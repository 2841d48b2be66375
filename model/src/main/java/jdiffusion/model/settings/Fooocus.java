package jdiffusion.model.settings;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.family.PromptWeights;

/**
 * Fooocus and its descendants: JSON in the text "parameters", its keys in either of two spellings. Where
 * {@code fooocus_scheme} is "a1111", the text is one that {@link A1111} reads.
 */
final class Fooocus {
    private static final Pattern SIZE = Pattern.compile("\\D*(\\d{1,6})\\D+(\\d{1,6})\\D*");
    private static final Pattern LORA = Pattern.compile("(?:(True|False) : )?(.*) : (\\S+)");
    private static final int MOST_LORAS = 32;

    private Fooocus() {
    }

    static FoundSettings read(PictureTexts texts) {
        JsonNode json = texts.json(PictureTexts.PARAMETERS);
        if (json == null || texts.get(PictureTexts.SCHEME) == null && !isFooocus(json)) {
            return null;
        }
        Fields fields = new Fields(json);
        String version = fields.text("version", "Version");
        Finding found = new Finding(texts.file(), version == null ? "Fooocus" : version);
        found.prompt(fields.text("prompt", "Prompt"));
        found.negativePrompt(fields.text("negative_prompt", "Negative Prompt"));
        found.steps(fields.text("steps", "Steps"));
        found.guidance(fields.text("guidance_scale", "Guidance Scale"));
        found.seed(fields.text("seed", "Seed"));
        String size = fields.text("resolution", "Resolution");
        if (size != null) {
            Matcher sides = SIZE.matcher(size);
            found.size(sides.matches() ? sides.group(1) : size, sides.matches() ? sides.group(2) : size);
        }
        found.schedule(fields.text("scheduler", "Scheduler"));
        found.sampler(fields.text("sampler", "Sampler"));
        found.model(fields.text("base_model", "Base Model"));
        for (int i = 1; i <= MOST_LORAS; i++) {
            String lora = fields.text("lora_combined_" + i, "LoRA " + i);
            Matcher parts = LORA.matcher(lora == null ? "" : lora);
            if (parts.matches() && !"False".equals(parts.group(1))) {
                found.lora(parts.group(2), parts.group(3));
            }
        }
        fields.node("loras"); // the same once more
        found.weights(PromptWeights.A1111);
        fields.rest(found);
        return found.done();
    }

    private static boolean isFooocus(JsonNode json) {
        return json.has("metadata_scheme") || json.has("base_model") && json.has("performance")
                || json.has("Base Model") && json.has("Performance")
                || json.path("version").asText().startsWith("Fooocus");
    }
}
