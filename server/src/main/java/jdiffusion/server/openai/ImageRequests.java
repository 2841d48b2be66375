package jdiffusion.server.openai;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.request.PictureFields;
import jdiffusion.model.request.json.ExtraFields;
import jdiffusion.model.request.json.Fields;
import jdiffusion.model.request.json.LoraList;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.server.calls.Calls;
import jdiffusion.server.http.Form;
import jdiffusion.server.http.HttpError;
import jdiffusion.server.http.Json;
import jdiffusion.tensor.InputException;

/** Reads requests for images. Fields that are not known are ignored, as clients expect. */
record ImageRequests(Calls calls) {
    /** How stable-diffusion.cpp's server takes what OpenAI's interface lacks. */
    private static final Pattern EXTRA = Pattern.compile("<sd_cpp_extra_args>(.*?)</sd_cpp_extra_args>",
            Pattern.DOTALL);
    private static final Pattern SIZE = Pattern.compile("(\\d{1,6})x(\\d{1,6})");
    /** Names of OpenAI's models, which mean the usual one here. */
    private static final Pattern OPENAI_MODEL = Pattern.compile("(dall-e-|gpt-image-|chatgpt-image-).*");
    private static final Pattern URL_MODEL = Pattern.compile("dall-e-[23]");
    private static final List<String> FILES = List.of("image", "mask");
    private static final int MOST_PARTIALS = 3;
    private static final int MOST_IMAGES = 10;
    private static final int MOST_QUALITY = 100;

    ImageRequest generation(Fields fields) {
        ImageRequest request = read(fields, false);
        ExtraFields.read(withExtra(fields), request.asked());
        return request;
    }

    ImageRequest edit(Form form) {
        List<byte[]> images = form.files("image");
        List<byte[]> masks = form.files("mask");
        if (images.isEmpty()) {
            throw HttpError.badField("image", "the picture to edit is missing");
        }
        if (images.size() > 1) {
            throw HttpError.badField("image", images.size() + " pictures to edit are given; this server's models take"
                    + " one");
        }
        ImageRequest request = read(new Fields(form.texts(FILES)), true);
        PictureFields asked = request.asked();
        asked.init = calls.decode(() -> PictureFile.read(images.getFirst(), "image"));
        asked.mask = masks.isEmpty() ? null : calls.decode(() -> PictureFile.readAlphaMask(masks.getFirst(), "mask"));
        ExtraFields.read(new Fields(form.texts(FILES)), asked);
        if (asked.mask != null && asked.strength == null) {
            asked.strength = 1.0; // what is masked is drawn anew, as there
        }
        return request;
    }

    private ImageRequest read(Fields given, boolean edits) {
        Fields fields = withExtra(given);
        if (fields.text("prompt") == null) {
            throw HttpError.badField("prompt", "the prompt is missing");
        }
        String model = fields.text("model");
        PictureFields asked = new PictureFields();
        asked.model = model == null || OPENAI_MODEL.matcher(model).matches() ? null : model;
        asked.prompt = LoraList.addTo(EXTRA.matcher(fields.text("prompt")).replaceAll(""), fields);
        asked.negativePrompt = fields.text("negative_prompt");
        asked.images = images(fields);
        size(fields, asked);
        asked.seed = fields.seed("seed");
        asked.steps = fields.integer("num_inference_steps", "steps", "step", "sample_steps");
        asked.guidanceScale = fields.decimal("guidance_scale");
        asked.guidance = fields.decimal("cfg_scale", "true_cfg_scale", "txt_cfg");
        asked.embeddedGuidance = fields.decimal("distilled_guidance");
        String sampler = fields.text("sampler", "sample_method");
        asked.sampler = sampler == null ? null : Sampler.Kind.of(sampler);
        String scheduler = fields.text("scheduler");
        asked.schedule = scheduler == null ? null : SigmaSchedule.of(scheduler);
        asked.clipSkip = fields.integer("clip_skip");
        asked.strength = fields.precise("strength");
        if ("transparent".equals(fields.text("background"))) {
            throw HttpError.badField("background", "pictures with a transparent background cannot be drawn here");
        }
        return new ImageRequest(asked, edits, url(fields, model), format(fields), quality(fields),
                Boolean.TRUE.equals(fields.flag("stream")), partials(fields));
    }

    private static Fields withExtra(Fields fields) {
        String prompt = fields.text("prompt");
        Matcher extra = EXTRA.matcher(prompt == null ? "" : prompt);
        if (!extra.find()) {
            return fields;
        }
        ObjectNode all = Json.object();
        flatten(Json.parse(extra.group(1)), all);
        all.setAll(fields.json());
        return new Fields(all);
    }

    /** Objects in it, such as {@code sample_params}, only group fields. */
    private static void flatten(ObjectNode from, ObjectNode to) {
        for (var field : from.properties()) {
            if (field.getValue() instanceof ObjectNode group) {
                flatten(group, to);
            } else {
                to.set(field.getKey(), field.getValue());
            }
        }
    }

    private static int images(Fields fields) {
        Integer n = fields.integer("n");
        if (n != null && (n < 1 || n > MOST_IMAGES)) {
            throw HttpError.badField("n", "n is " + n + "; use 1 to " + MOST_IMAGES);
        }
        return n == null ? 1 : n;
    }

    private static void size(Fields fields, PictureFields asked) {
        String size = fields.text("size");
        if (size == null || size.equals("auto")) {
            return;
        }
        Matcher matcher = SIZE.matcher(size);
        if (!matcher.matches()) {
            throw HttpError.badField("size", "size is '" + InputException.shown(size)
                    + "'; use a width and a height, such as 1024x1024, or auto");
        }
        asked.width = Integer.valueOf(matcher.group(1));
        asked.height = Integer.valueOf(matcher.group(2));
    }

    private static boolean url(Fields fields, String model) {
        String wanted = fields.text("response_format");
        if (wanted == null) {
            return model != null && URL_MODEL.matcher(model).matches();
        }
        if (!Set.of("url", "b64_json").contains(wanted)) {
            throw HttpError.badField("response_format", "response_format must be url or b64_json");
        }
        return wanted.equals("url");
    }

    private static String format(Fields fields) {
        String format = fields.text("output_format");
        if (format == null || format.equals("png") || format.equals("jpeg")) {
            return format == null ? "png" : format;
        }
        throw HttpError.badField("output_format", "output_format is '" + InputException.shown(format)
                + "'; this server writes png and jpeg");
    }

    private static int quality(Fields fields) {
        Integer quality = fields.integer("output_compression");
        if (quality != null && (quality < 0 || quality > MOST_QUALITY)) {
            throw HttpError.badField("output_compression", "output_compression is " + quality + "; use 0 to "
                    + MOST_QUALITY);
        }
        return quality == null ? ImageRequest.USUAL_QUALITY : quality;
    }

    private static int partials(Fields fields) {
        Integer partials = fields.integer("partial_images");
        if (partials != null && (partials < 0 || partials > MOST_PARTIALS)) {
            throw HttpError.badField("partial_images", "partial_images is " + partials + "; use 0 to "
                    + MOST_PARTIALS);
        }
        return partials == null ? 0 : partials;
    }
}
