package jdiffusion.server.own;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.request.PictureFields;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.server.calls.Calls;
import jdiffusion.server.calls.ExtraFields;
import jdiffusion.server.calls.Fields;
import jdiffusion.server.calls.LoraList;
import jdiffusion.server.http.HttpError;
import jdiffusion.tensor.InputException;

/** Reads the body of a job. A field that is not known is refused: it may be another one misspelt. */
record FieldReader(Calls calls) {
    static final String CANCEL_ON_DISCONNECT = "cancel_on_disconnect";
    /** Whether the pictures come into the history. */
    static final String KEEP = "keep";
    private static final Set<String> KNOWN = Set.of("model", "prompt", "negative_prompt", "prompt_2",
            "negative_prompt_2", "width", "height", "round_size", "steps", "guidance", "embedded_guidance",
            "guidance_rescale", "seed", "images", "sampler", "eta", "scheduler", "sigmas", "shift", "t5", "t5_length",
            "clean_caption", "resolution_binning", "clip_skip", "skip_layers", "guiders", "cache", "noise",
            "weights", "init", "strength", "resize", "mask", "mask_blur", "mask_invert", "only_masked", "mask_padding",
            "mask_fill", "mask_paste", "outpaint", "hires", "hires_strength", "hires_steps", "hires_upscaler",
            "control", "loras", CANCEL_ON_DISCONNECT, KEEP);

    PictureFields read(Fields fields) {
        Iterator<String> names = fields.json().fieldNames();
        while (names.hasNext()) {
            String name = names.next();
            if (!KNOWN.contains(name)) {
                throw HttpError.badField(InputException.shown(name), "there is no field '"
                        + InputException.shown(name) + "'; GET /api/v1/options and the documentation name those there"
                        + " are");
            }
        }
        PictureFields asked = new PictureFields();
        asked.model = fields.text("model");
        asked.prompt = LoraList.addTo(fields.text("prompt"), fields);
        asked.negativePrompt = fields.text("negative_prompt");
        asked.prompt2 = fields.text("prompt_2");
        asked.negativePrompt2 = fields.text("negative_prompt_2");
        asked.width = fields.integer("width");
        asked.height = fields.integer("height");
        asked.sizes = Boolean.TRUE.equals(fields.flag("round_size")) ? PictureFields.Sizes.ROUNDED_DOWN : PictureFields.Sizes.REFUSED;
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
        pictures(fields, asked);
        ExtraFields.read(fields, asked);
        control(fields, asked);
        return asked;
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
            throw HttpError.badField("skip_layers", "skip_layers must be {\"layers\": [...], \"scale\": ...,"
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

    private void control(Fields fields, PictureFields asked) {
        JsonNode node = fields.node("control");
        if (node == null) {
            return;
        }
        if (!(node instanceof ObjectNode object)) {
            throw HttpError.badField("control", "control must be {\"model\": ..., \"image\": ..., \"strength\": ...,"
                    + " \"start\": ..., \"end\": ...}");
        }
        Fields control = new Fields(object);
        byte[] image = control.file("image");
        asked.controlNet = control.text("model");
        if (asked.controlNet == null || image == null) {
            throw HttpError.badField("control", "control needs the name of a ControlNet as model, and an image");
        }
        asked.controlPicture = calls.decode(() -> PictureFile.read(image, "control.image"));
        asked.controlStrength = control.decimal("strength");
        asked.controlStart = control.precise("start");
        asked.controlEnd = control.precise("end");
    }

    private void pictures(Fields fields, PictureFields asked) {
        asked.strength = fields.precise("strength");
        String resize = fields.text("resize");
        if (resize != null && !resize.equals("stretch") && !resize.equals("crop")) {
            throw HttpError.badField("resize", "resize must be stretch or crop");
        }
        asked.shape = "crop".equals(resize) ? PictureFields.Shape.CUT : PictureFields.Shape.STRETCHED;
        byte[] init = fields.file("init");
        byte[] mask = fields.file("mask");
        asked.init = init == null ? null : calls.decode(() -> PictureFile.read(init, "init"));
        asked.mask = mask == null ? null : calls.decode(() -> PictureFile.readMask(mask, "mask", asked.notes::add));
    }
}
