package jdiffusion.model.settings;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.regex.Pattern;
import jdiffusion.tensor.InputException;

/** NovelAI: JSON in the text {@code Comment}, and the prompt once more in {@code Description}. */
final class NovelAi {
    private static final String COMMENT = "Comment";
    private static final String TOOL = "NovelAI";

    /** {more}, [less] and 1.2::more::. */
    private static final Pattern WEIGHTS = Pattern.compile("[{}\\[\\]]|[\\d.]::");

    private NovelAi() {
    }

    static FoundSettings read(PictureTexts texts) {
        JsonNode json = texts.json(COMMENT);
        boolean named = TOOL.equals(texts.get(PictureTexts.SOFTWARE));
        if (named && json == null) {
            throw new InputException(texts.file() + ": " + TOOL + "'s settings in the text '" + COMMENT
                    + "' are missing or no JSON object; give them as options instead of --from");
        }
        if (json == null || !named && !(json.has("uc") && json.has("sampler"))) {
            return null;
        }
        Fields fields = new Fields(json);
        Finding found = new Finding(texts.file(), TOOL);
        String prompt = fields.text("prompt");
        found.prompt(prompt == null ? texts.get("Description") : prompt);
        found.negativePrompt(fields.text("uc"));
        found.steps(fields.text("steps"));
        found.guidance(fields.text("scale"));
        found.seed(fields.text("seed"));
        found.size(fields.text("width"), fields.text("height"));
        found.schedule(fields.text("noise_schedule"));
        found.sampler(fields.text("sampler"));
        found.model(texts.get("Source"));
        String count = fields.text("n_samples");
        if (count != null && !count.equals("1")) {
            found.note(texts.file() + " is one of " + InputException.shown(count) + " pictures of one seed; the first"
                    + " is drawn");
        }
        String kind = fields.text("request_type");
        String strength = fields.text("strength");
        boolean masked = kind != null && kind.contains("Infill");
        if (masked || kind != null && kind.contains("Img2Img") || kind == null && strength != null) {
            found.init(strength);
        }
        if (masked) {
            found.mask();
        }
        found.noteText(WEIGHTS, "has weights of " + TOOL + "'s form");
        fields.rest(found);
        return found.done();
    }
}
