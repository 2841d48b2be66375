package jdiffusion.server.a1111;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.math.BigInteger;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.PromptWeights;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.request.PictureFields;
import jdiffusion.model.request.json.Fields;
import jdiffusion.model.settings.Infotext;
import jdiffusion.server.calls.Calls;
import jdiffusion.server.draw.PreparedRequest;
import jdiffusion.server.http.Exchange;
import jdiffusion.server.http.HttpError;
import jdiffusion.server.http.Json;
import jdiffusion.server.jobs.Job;
import jdiffusion.server.jobs.JobPicture;

/** {@code txt2img} and {@code img2img}. What is left out is as the model's family has it. */
record Generation(Calls calls, String version) {
    private static final DateTimeFormatter TIMESTAMP = DateTimeFormatter.ofPattern("yyyyMMddHHmmss")
            .withZone(ZoneOffset.UTC);
    private static final int LAST_RESIZE = 3;
    /** Fields that have an effect there and none here, with the values that ask for nothing. */
    private static final List<String> WITHOUT_EFFECT = List.of("restore_faces", "tiling", "refiner_checkpoint",
            "subseed_strength", "eta");

    void answer(Exchange exchange, boolean fromPicture) throws IOException {
        ObjectNode json = exchange.json();
        Fields fields = new Fields(json);
        refuse(fields);
        PreparedRequest prepared = calls.prepared(asked(fields, fromPicture));
        for (String large : List.of("init_images", "mask", "alwayson_scripts")) {
            if (json.has(large)) {
                json.putNull(large);
            }
        }
        Job job = calls.draw(exchange, prepared);
        ObjectNode body = Json.object();
        ArrayNode images = body.putArray("images");
        if (!Boolean.FALSE.equals(fields.flag("send_images"))) {
            job.pictures().forEach(picture -> images.add(Base64.getEncoder().encodeToString(picture.png())));
        }
        body.set("parameters", json);
        body.put("info", Json.text(info(job)));
        exchange.json(200, body);
    }

    static String timestamp(Instant time) {
        return TIMESTAMP.format(time);
    }

    /** What would give another picture than the one that is asked for. */
    private static void refuse(Fields fields) {
        String script = fields.text("script_name");
        if (script != null && !script.isEmpty() && !script.equals("None")) {
            throw cannot("script_name");
        }
    }

    static HttpError cannot(String field) {
        return new HttpError(HttpError.UNPROCESSABLE, "not_supported", "this server cannot do what " + field
                + " asks for; leave it out");
    }

    private PictureFields asked(Fields fields, boolean fromPicture) {
        PictureFields asked = new PictureFields();
        asked.prompt = fields.text("prompt");
        if (asked.prompt == null) {
            asked.prompt = "";
        }
        asked.negativePrompt = fields.text("negative_prompt");
        // Its clients expect brackets to be weights.
        asked.usualWeights = PromptWeights.A1111.label();
        asked.width = fields.integer("width");
        asked.height = fields.integer("height");
        asked.sizes = PictureFields.Sizes.ROUNDED_DOWN;
        asked.steps = fields.integer("steps");
        asked.guidance = fields.decimal("cfg_scale");
        asked.embeddedGuidance = fields.decimal("distilled_cfg_scale");
        asked.seed = fields.seed("seed");
        asked.images = images(fields);
        SamplerName sampler = SamplerName.of(fields.text("sampler_name", "sampler_index"), fields.text("scheduler"));
        asked.sampler = sampler.sampler();
        asked.schedule = sampler.schedule();
        if (fields.node("override_settings") instanceof ObjectNode settings) {
            Fields overriding = new Fields(settings);
            String model = overriding.text(Lists.CHECKPOINT);
            asked.model = model == null ? null : Lists.name(model);
            asked.clipSkip = overriding.integer("CLIP_stop_at_last_layers");
        }
        for (String name : WITHOUT_EFFECT) {
            JsonNode value = fields.node(name);
            if (value != null && !Stream.of("", "0", "0.0", "false", "None").anyMatch(value.asText()::equals)) {
                asked.notes.add(name + " has no effect here");
            }
        }
        if (fields.node("styles") != null && !fields.node("styles").isEmpty()) {
            asked.notes.add("styles have no effect here");
        }
        Masks masks = new Masks(calls);
        masks.secondPass(fields, asked, fromPicture);
        if (fromPicture) {
            pictures(fields, asked);
            masks.read(fields, asked);
        }
        new ControlUnits(calls).read(fields, asked);
        return asked;
    }

    private static int images(Fields fields) {
        Integer each = fields.integer("batch_size");
        Integer times = fields.integer("n_iter");
        long images = (each == null ? 1L : each) * (times == null ? 1L : times);
        if (images < 1 || images > Integer.MAX_VALUE) {
            throw HttpError.badField("batch_size", "batch_size times n_iter is " + images + "; use 1 or more");
        }
        return (int) images;
    }

    private void pictures(Fields fields, PictureFields asked) {
        List<byte[]> files = fields.files("init_images");
        if (files.isEmpty()) {
            throw new HttpError(HttpError.NOT_FOUND, "init_image", "Init image not found: init_images is empty");
        }
        asked.init = calls.decode(() -> PictureFile.read(files.getFirst(), "init_images"));
        asked.strength = fields.precise("denoising_strength");
        Integer resize = fields.integer("resize_mode");
        if (resize != null && (resize < 0 || resize > LAST_RESIZE)) {
            throw HttpError.badField("resize_mode", "resize_mode is " + resize + "; use 0 to " + LAST_RESIZE);
        }
        asked.shape = resize == null || resize == 0 || resize == LAST_RESIZE ? PictureFields.Shape.STRETCHED : PictureFields.Shape.CUT;
        if (resize != null && resize > 1) {
            asked.notes.add("resize_mode " + resize + " is not here; the picture was "
                    + (asked.shape == PictureFields.Shape.CUT ? "cut" : "stretched"));
        }
    }

    private ObjectNode info(Job job) {
        PreparedRequest prepared = job.prepared();
        GenerationRequest r = prepared.request();
        List<JobPicture> pictures = job.pictures();
        String negative = r.negativeText();
        ObjectNode info = Json.object().put("prompt", prepared.prompt());
        ArrayNode prompts = info.putArray("all_prompts");
        pictures.forEach(_ -> prompts.add(prepared.prompt()));
        info.put("negative_prompt", negative);
        ArrayNode negatives = info.putArray("all_negative_prompts");
        pictures.forEach(_ -> negatives.add(negative));
        info.put("seed", new BigInteger(Long.toUnsignedString(r.seed())));
        ArrayNode seeds = info.putArray("all_seeds");
        ArrayNode subseeds = Json.array();
        pictures.forEach(picture -> {
            seeds.add(new BigInteger(Long.toUnsignedString(picture.seed())));
            subseeds.add(0);
        });
        info.put("subseed", 0).set("all_subseeds", subseeds);
        info.put("subseed_strength", 0).put("width", r.width()).put("height", r.height())
                .put("sampler_name", r.sampler().kind().title()).put("cfg_scale", r.guidance())
                .put("steps", r.steps()).put("batch_size", r.images()).put("restore_faces", false)
                .putNull("face_restoration_model").put("sd_model_name", prepared.model().id()).putNull("sd_model_hash")
                .putNull("sd_vae_name").putNull("sd_vae_hash").put("seed_resize_from_w", -1)
                .put("seed_resize_from_h", -1);
        info.put("denoising_strength", r.hires() != null ? Double.valueOf(r.hires().strength())
                : r.init() == null ? null : Double.valueOf(r.strength()));
        ObjectNode extra = info.putObject("extra_generation_params");
        if (!pictures.isEmpty()) {
            Infotext.parse(pictures.getFirst().text()).fields().forEach(extra::put);
        }
        info.put("index_of_first_image", 0);
        ArrayNode texts = info.putArray("infotexts");
        pictures.forEach(picture -> texts.add(picture.text()));
        info.putArray("styles");
        info.put("job_timestamp", timestamp(job.created())).put("clip_skip", r.text().clipSkip() + 1)
                .put("is_using_inpainting_conditioning", false).put("version", version);
        ArrayNode notes = info.putArray("notes");
        prepared.notes().forEach(notes::add);
        return info;
    }
}
