package jdiffusion.model.settings;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import jdiffusion.model.family.PromptWeights;

/** The text of AUTOMATIC1111's web UI, which Forge, stable-diffusion.cpp, Fooocus and this program write too. */
final class A1111 {
    private static final String STRENGTH = "Denoising strength";
    private static final String MASK_HASH = "Mask hash";
    /** Keys that only pictures with a mask have, ours among them. */
    private static final Set<String> OF_MASKS = Set.of(MASK_HASH, "Mask blur", "Inpaint area",
            "Mask mode", "Masked content");

    private static final Set<String> WITHOUT_WEIGHTS = Set.of("None", "Ignore");
    /** [from:to:when], [one|other] and AND. */
    private static final Pattern CHANGING = Pattern.compile("\\[[^\\[\\]]*[:|][^\\[\\]]*]|\\bAND\\b");

    private A1111() {
    }

    static FoundSettings read(PictureTexts texts) {
        String text = texts.get(PictureTexts.PARAMETERS);
        if (text == null) {
            return null;
        }
        Infotext info = Infotext.parse(text);
        // Prompts may begin with a brace, JSON has no line of settings after it.
        boolean isJson = text.strip().startsWith("{") && !info.fields().containsKey("Steps");
        return isJson || texts.json(PictureTexts.PARAMETERS) != null ? null : read(texts, info);
    }

    private static boolean isOwn(Map<String, String> fields) {
        return fields.getOrDefault("Version", "").startsWith("jdiffusion");
    }

    private static FoundSettings read(PictureTexts texts, Infotext info) {
        Map<String, String> fields = new LinkedHashMap<>(info.fields());
        Finding found = new Finding(texts.file(), fields.get("Version"));
        found.prompt(info.prompt());
        found.negativePrompt(info.negativePrompt());
        found.steps(fields.remove("Steps"));
        String guidance = fields.remove("CFG scale");
        // Civitai's generator writes so what FLUX.1 is told.
        boolean told = fields.getOrDefault("Civitai resources", "").toLowerCase(Locale.ROOT).contains("flux");
        found.guidance(told ? "1" : guidance);
        found.embedded(told ? guidance : null);
        found.seed(fields.remove("Seed"));
        String size = fields.remove("Size");
        if (size != null) {
            found.size(size);
        }
        String schedule = fields.remove("Schedule type");
        String scheduler = schedule == null ? fields.remove("Scheduler") : schedule;
        found.schedule(scheduler);
        found.sampler(fields.remove("Sampler"));
        found.shift(fields.remove("Shift"));
        found.model(fields.get("Model"));
        boolean upscaled = fields.keySet().stream().anyMatch(key -> key.startsWith("Hires"));
        // With a second pass it is the strength of that.
        if (!upscaled && fields.containsKey(STRENGTH)) {
            found.init(fields.remove(STRENGTH));
        }
        // A border of ours is softened like a mask.
        boolean border = fields.containsKey("Outpaint") && !fields.containsKey(MASK_HASH);
        if (!border && fields.keySet().stream().anyMatch(OF_MASKS::contains)) {
            found.mask();
        }
        if (!isOwn(fields) && !WITHOUT_WEIGHTS.contains(fields.getOrDefault("Emphasis", ""))) {
            found.weights(PromptWeights.A1111);
            found.noteText(CHANGING, "changes between its steps, or is several prompts at once");
        }
        fields.forEach(found::more);
        return found.done();
    }
}
