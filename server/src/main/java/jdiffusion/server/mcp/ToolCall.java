package jdiffusion.server.mcp;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Base64;
import java.util.Iterator;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.image.Jpeg;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.request.PictureFields;
import jdiffusion.model.request.json.ExtraFields;
import jdiffusion.model.request.json.Fields;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.server.calls.Calls;
import jdiffusion.server.draw.PreparedRequest;
import jdiffusion.server.http.HttpError;
import jdiffusion.server.jobs.Job;
import jdiffusion.server.jobs.JobPicture;
import jdiffusion.tensor.InputException;

/**
 * A call of a tool that draws, with its arguments read.
 *
 * @param format of the pictures in the answer: png or jpeg
 */
record ToolCall(PreparedRequest prepared, String format) {
    private static final Pattern PICTURE = Pattern.compile("([0-9a-f]{32})-(\\d{1,4})");
    private static final Set<String> KNOWN = Set.of("prompt", "negative_prompt", "model", "width", "height", "steps",
            "guidance", "seed", "images", "sampler", "scheduler", "hires", "format");
    private static final int JPEG_QUALITY = 90;
    private static final Set<String> OF_EDITS = Set.of("image", "mask", "strength", "mask_blur", "only_masked",
            "outpaint");

    /**
     * Reads the arguments of a tool.
     *
     * @param edits whether a picture is edited
     * @throws InputException when they cannot be used
     * @throws HttpError      likewise
     */
    static ToolCall of(Calls calls, ObjectNode arguments, boolean edits) {
        Fields fields = new Fields(arguments);
        Iterator<String> names = arguments.fieldNames();
        while (names.hasNext()) {
            String name = names.next();
            if (!KNOWN.contains(name) && !(edits && OF_EDITS.contains(name))) {
                throw HttpError.badField(name, "there is no argument '" + InputException.shown(name)
                        + "'; the tool's input schema names those there are");
            }
        }
        PictureFields asked = new PictureFields();
        asked.prompt = fields.text("prompt");
        asked.negativePrompt = fields.text("negative_prompt");
        asked.model = fields.text("model");
        asked.width = fields.integer("width");
        asked.height = fields.integer("height");
        asked.steps = fields.integer("steps");
        asked.guidance = fields.decimal("guidance");
        asked.seed = fields.seed("seed");
        Integer images = fields.integer("images");
        asked.images = images == null ? 1 : images;
        String sampler = fields.text("sampler");
        asked.sampler = sampler == null ? null : Sampler.Kind.of(sampler);
        String scheduler = fields.text("scheduler");
        asked.schedule = scheduler == null ? null : SigmaSchedule.of(scheduler);
        if (edits) {
            pictures(calls, fields, asked);
        }
        ExtraFields.read(fields, asked);
        return new ToolCall(calls.prepared(asked), format(fields));
    }

    private static void pictures(Calls calls, Fields fields, PictureFields asked) {
        byte[] image = file(calls, fields, "image");
        if (image == null) {
            throw HttpError.badField("image", "the picture to edit is missing: give image");
        }
        byte[] mask = file(calls, fields, "mask");
        asked.init = calls.decode(() -> PictureFile.read(image, "image"));
        asked.mask = mask == null ? null : calls.decode(() -> PictureFile.readAlphaMask(mask, "mask"));
        asked.strength = fields.precise("strength");
        if (asked.mask != null && asked.strength == null) {
            asked.strength = 1.0;
        }
    }

    /** In base64, or one that was drawn before, since who calls tools cannot always pass on what it saw. */
    private static byte[] file(Calls calls, Fields fields, String name) {
        String text = fields.text(name);
        Matcher drawn = PICTURE.matcher(text == null ? "" : text.strip());
        if (!drawn.matches()) {
            return fields.file(name);
        }
        Job job = calls.jobs().find(drawn.group(1));
        if (job != null) {
            for (JobPicture picture : job.pictures()) {
                if (picture.index() == Integer.parseInt(drawn.group(2))) {
                    return picture.png();
                }
            }
        }
        throw HttpError.badField(name, "there is no picture " + drawn.group() + ", or it was drawn too long ago; pass"
                + " it in base64");
    }

    /** Under which name a picture is taken again. */
    static String name(Job job, JobPicture picture) {
        return job.id() + "-" + picture.index();
    }

    private static String format(Fields fields) {
        String format = fields.text("format");
        if (format != null && !ToolSchemas.FORMATS.contains(format)) {
            throw HttpError.badField("format", "format is '" + InputException.shown(format) + "'; use png or jpeg");
        }
        return format == null ? ToolSchemas.FORMATS.getFirst() : format;
    }

    /** A picture's file in base64. */
    String encode(JobPicture picture) {
        return Base64.getEncoder().encodeToString(format.equals("png") ? picture.png()
                : Jpeg.encode(picture.picture(), JPEG_QUALITY));
    }
}
