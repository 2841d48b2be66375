package jdiffusion.server.own;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.server.calls.Calls;
import jdiffusion.server.calls.Fields;
import jdiffusion.server.calls.LoraList;
import jdiffusion.server.draw.Wish;
import jdiffusion.server.http.HttpError;
import jdiffusion.tensor.InputException;

/** Reads the body of a job. A field that is not known is refused: it may be another one misspelt. */
record WishReader(Calls calls) {
    static final String CANCEL_ON_DISCONNECT = "cancel_on_disconnect";
    private static final Set<String> KNOWN = Set.of("model", "prompt", "negative_prompt", "prompt_2",
            "negative_prompt_2", "width", "height", "round_size", "steps", "guidance", "embedded_guidance",
            "guidance_rescale", "seed", "images", "sampler", "eta", "scheduler", "sigmas", "shift", "t5", "t5_length",
            "clean_caption", "resolution_binning", "clip_skip", "skip_layers", "init", "strength", "resize", "mask",
            "loras", CANCEL_ON_DISCONNECT);

    Wish read(Fields fields) {
        Iterator<String> names = fields.json().fieldNames();
        while (names.hasNext()) {
            String name = names.next();
            if (!KNOWN.contains(name)) {
                throw HttpError.badField(InputException.shown(name), "there is no field '"
                        + InputException.shown(name) + "'; GET /api/v1/options and the documentation name those there"
                        + " are");
            }
        }
        Wish wish = new Wish();
        wish.model = fields.text("model");
        wish.prompt = LoraList.addTo(fields.text("prompt"), fields);
        wish.negativePrompt = fields.text("negative_prompt");
        wish.prompt2 = fields.text("prompt_2");
        wish.negativePrompt2 = fields.text("negative_prompt_2");
        wish.width = fields.integer("width");
        wish.height = fields.integer("height");
        wish.sizes = Boolean.TRUE.equals(fields.flag("round_size")) ? Wish.Sizes.ROUNDED_DOWN : Wish.Sizes.REFUSED;
        wish.seed = fields.seed("seed");
        Integer images = fields.integer("images");
        wish.images = images == null ? 1 : images;
        sampling(fields, wish);
        wish.t5 = fields.flag("t5");
        wish.cleanCaption = fields.flag("clean_caption");
        wish.resolutionBinning = fields.flag("resolution_binning");
        wish.t5Length = fields.integer("t5_length");
        wish.clipSkip = fields.integer("clip_skip");
        skipLayers(fields, wish);
        pictures(fields, wish);
        return wish;
    }

    private static void sampling(Fields fields, Wish wish) {
        wish.steps = fields.integer("steps");
        wish.guidance = fields.decimal("guidance");
        wish.embeddedGuidance = fields.decimal("embedded_guidance");
        wish.guidanceRescale = fields.decimal("guidance_rescale");
        String sampler = fields.text("sampler");
        wish.sampler = sampler == null ? null : Sampler.Kind.of(sampler);
        wish.eta = fields.precise("eta");
        String scheduler = fields.text("scheduler");
        wish.schedule = scheduler == null ? null : SigmaSchedule.of(scheduler);
        wish.sigmas = fields.decimals("sigmas");
        wish.shift = fields.decimal("shift");
    }

    private static void skipLayers(Fields fields, Wish wish) {
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
        wish.skipLayers = layers;
        wish.skipLayersScale = skip.decimal("scale");
        wish.skipLayersStart = skip.decimal("start");
        wish.skipLayersEnd = skip.decimal("end");
    }

    private void pictures(Fields fields, Wish wish) {
        wish.strength = fields.precise("strength");
        String resize = fields.text("resize");
        if (resize != null && !resize.equals("stretch") && !resize.equals("crop")) {
            throw HttpError.badField("resize", "resize must be stretch or crop");
        }
        wish.shape = "crop".equals(resize) ? Wish.Shape.CUT : Wish.Shape.STRETCHED;
        byte[] init = fields.file("init");
        byte[] mask = fields.file("mask");
        wish.init = init == null ? null : calls.decode(() -> PictureFile.read(init, "init"));
        wish.mask = mask == null ? null : calls.decode(() -> PictureFile.readMask(mask, "mask", wish.notes::add));
    }
}
