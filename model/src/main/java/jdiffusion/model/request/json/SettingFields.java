package jdiffusion.model.request.json;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import jdiffusion.model.request.PictureFields;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;

/**
 * Prompts, size and sampling of a picture under the names that jobs of the server and tables of prompts have for them.
 * Pictures are read elsewhere, since a job carries them and a table names files; then {@link ExtraFields}.
 */
public final class SettingFields {
    /** Names of all that is read here and by {@link ExtraFields}. */
    public static final Set<String> NAMES = Set.of("model", "prompt", "negative_prompt", "prompt_2",
            "negative_prompt_2", "width", "height", "round_size", "steps", "guidance", "embedded_guidance",
            "guidance_rescale", "seed", "images", "sampler", "eta", "scheduler", "sigmas", "shift", "t5", "t5_length",
            "clean_caption", "resolution_binning", "clip_skip", "skip_layers", "guiders", "cache", "noise",
            "weights", "strength", "resize", "mask_blur", "mask_invert", "only_masked", "mask_padding",
            "mask_fill", "mask_paste", "outpaint", "hires", "hires_strength", "hires_steps", "hires_upscaler",
            "loras");

    private SettingFields() {
    }

    /** Reads what is there. */
    public static void read(Fields fields, PictureFields asked) {
        asked.model = fields.text("model");
        asked.prompt = LoraList.addTo(fields.text("prompt"), fields);
        asked.negativePrompt = fields.text("negative_prompt");
        asked.prompt2 = fields.text("prompt_2");
        asked.negativePrompt2 = fields.text("negative_prompt_2");
        asked.width = fields.integer("width");
        asked.height = fields.integer("height");
        asked.sizes = Boolean.TRUE.equals(fields.flag("round_size")) ? PictureFields.Sizes.ROUNDED_DOWN
                : PictureFields.Sizes.REFUSED;
        asked.seed = fields.seed("seed");
        Integer images = fields.integer("images");
        asked.images = images == null ? 1 : images;
        sampling(fields, asked);
        asked.t5 = fields.flag("t5");
        asked.cleanCaption = fields.flag("clean_caption");
        asked.resolutionBinning = fields.flag("resolution_binning");
        asked.t5Length = fields.integer("t5_length");
        asked.clipSkip = fields.integer("clip_skip");
        skipLayers(fields, asked);
        asked.guiders = fields.text("guiders");
        asked.cache = fields.text("cache");
        asked.noise = fields.text("noise");
        asked.weights = fields.text("weights");
        asked.strength = fields.precise("strength");
        String resize = fields.text("resize");
        if (resize != null && !resize.equals("stretch") && !resize.equals("crop")) {
            throw Fields.bad("resize", "resize must be stretch or crop");
        }
        asked.shape = "crop".equals(resize) ? PictureFields.Shape.CUT : PictureFields.Shape.STRETCHED;
    }

    private static void sampling(Fields fields, PictureFields asked) {
        asked.steps = fields.integer("steps");
        asked.guidance = fields.decimal("guidance");
        asked.embeddedGuidance = fields.decimal("embedded_guidance");
        asked.guidanceRescale = fields.decimal("guidance_rescale");
        String sampler = fields.text("sampler");
        asked.sampler = sampler == null ? null : Sampler.Kind.of(sampler);
        asked.eta = fields.precise("eta");
        String scheduler = fields.text("scheduler");
        asked.schedule = scheduler == null ? null : SigmaSchedule.of(scheduler);
        asked.sigmas = fields.decimals("sigmas");
        asked.shift = fields.decimal("shift");
    }

    private static void skipLayers(Fields fields, PictureFields asked) {
        JsonNode node = fields.node("skip_layers");
        if (node == null) {
            return;
        }
        if (!(node instanceof ObjectNode object)) {
            throw Fields.bad("skip_layers", "skip_layers must be {\"layers\": [...], \"scale\": ...,"
                    + " \"start\": ..., \"end\": ...}");
        }
        Fields skip = new Fields(object);
        List<Integer> layers = new ArrayList<>();
        List<Float> given = skip.decimals("layers");
        for (float layer : given == null ? List.<Float>of() : given) {
            layers.add((int) layer);
        }
        asked.skipLayers = layers;
        asked.skipLayersScale = skip.decimal("scale");
        asked.skipLayersStart = skip.decimal("start");
        asked.skipLayersEnd = skip.decimal("end");
    }
}
