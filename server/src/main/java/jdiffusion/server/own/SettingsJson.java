package jdiffusion.server.own;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Stream;
import jdiffusion.model.request.FoundFields;
import jdiffusion.model.request.HiresChoices;
import jdiffusion.model.request.InpaintChoices;
import jdiffusion.model.request.PictureFields;
import jdiffusion.model.request.TakenSettings;
import jdiffusion.model.settings.FoundSettings;
import jdiffusion.model.settings.SettingsReader;
import jdiffusion.server.draw.ServedModel;
import jdiffusion.server.draw.ServedModels;
import jdiffusion.server.http.HttpError;
import jdiffusion.server.http.Json;
import jdiffusion.tensor.InputException;

/** How a picture was drawn, in the fields of a job that draws it again. */
record SettingsJson(ServedModels models) {
    /** Names that a job has no fields for, though the command line has options. */
    private static final Set<String> NO_FIELDS = Set.of("Compat", "Seeds", "Batch size", "Original size",
            "Crop top left", "Target size", "Negative original size", "Negative crop top left", "Negative target size",
            "Aesthetic score", "Negative aesthetic score");

    /**
     * The settings of a client's picture, whichever known program wrote it.
     *
     * @throws HttpError when it has none
     */
    ObjectNode of(byte[] picture) {
        Path file = null;
        try {
            file = Files.createTempFile("jdiffusion-", ".picture");
            Files.write(file, picture);
            return of(SettingsReader.read(file), file.toString());
        } catch (InputException e) {
            throw new HttpError(HttpError.UNPROCESSABLE, "no_settings", said(e.getMessage(), file.toString()));
        } catch (IOException e) {
            throw new HttpError(HttpError.UNAVAILABLE, "no_room", "the picture could not be put aside to be read");
        } finally {
            delete(file);
        }
    }

    private static void delete(Path file) {
        try {
            if (file != null) {
                Files.deleteIfExists(file);
            }
        } catch (IOException _) {
            // The system's folder for temporary files is emptied by the system.
        }
    }

    /** Where the file lay is no client's business. */
    private static String said(String message, String file) {
        return message.replace(file + ": ", "").replace(file, "the picture")
                .replace("; give them as options instead of --from", "");
    }

    private ObjectNode of(FoundSettings found, String file) {
        TakenSettings taken = new TakenSettings(file, found);
        PictureFields read = FoundFields.of(taken);
        ArrayNode notes = Json.array();
        Stream.concat(found.notes().stream(), read.notes.stream()).forEach(note -> notes.add(said(note, file)));
        ObjectNode fields = Json.object().put("prompt", read.prompt).put("negative_prompt", read.negativePrompt);
        model(found.model(), fields, notes);
        fields.put("width", read.width).put("height", read.height).put("steps", read.steps);
        put(fields, "guidance", read.guidance);
        if (read.seed != null) {
            fields.set("seed", fields.numberNode(new BigInteger(Long.toUnsignedString(read.seed))));
        }
        fields.put("sampler", read.sampler == null ? null : read.sampler.label())
                .put("scheduler", read.schedule == null ? null : read.schedule.label());
        put(fields, "shift", read.shift);
        fields.put("strength", read.strength);
        put(fields, "embedded_guidance", read.embeddedGuidance);
        put(fields, "guidance_rescale", read.guidanceRescale);
        fields.put("eta", read.eta).put("clip_skip", read.clipSkip).put("prompt_2", read.prompt2)
                .put("negative_prompt_2", read.negativePrompt2).put("t5_length", read.t5Length).put("t5", read.t5)
                .put("clean_caption", read.cleanCaption).put("resolution_binning", read.resolutionBinning)
                .put("guiders", read.guiders).put("cache", read.cache).put("noise", read.noise)
                .put("weights", read.weights);
        lists(fields, read);
        masks(fields, read.inpaint);
        secondPass(fields, read.hires);
        fields.properties().removeIf(field -> field.getValue().isNull());
        if (found.hasInit()) {
            notes.add("it started from another picture, which is not in it" + (found.hasMask() ? ", and was drawn only"
                    + " where a mask was white" : ""));
        }
        ObjectNode json = Json.object().put("tool", found.tool());
        json.set("fields", fields);
        ObjectNode rest = json.putObject("more");
        Set<String> unused = taken.unused();
        found.more().forEach((name, value) -> {
            if (unused.contains(name) || NO_FIELDS.contains(name)) {
                rest.put(name, value);
            }
        });
        json.set("notes", notes);
        return json;
    }

    private void model(String name, ObjectNode fields, ArrayNode notes) {
        if (name == null) {
            return;
        }
        for (ServedModel model : models.all()) {
            if (model.id().equalsIgnoreCase(name)) {
                fields.put("model", model.id());
                return;
            }
        }
        notes.add("it was drawn with the model " + InputException.shown(name) + ", which is not served here");
    }

    private static void lists(ObjectNode fields, PictureFields read) {
        if (read.sigmas != null) {
            ArrayNode sigmas = fields.putArray("sigmas");
            read.sigmas.forEach(sigma -> sigmas.add(Double.parseDouble(sigma.toString())));
        }
        if (read.skipLayers != null) {
            ObjectNode skip = fields.putObject("skip_layers");
            ArrayNode layers = skip.putArray("layers");
            read.skipLayers.forEach(layers::add);
            put(skip, "scale", read.skipLayersScale);
            put(skip, "start", read.skipLayersStart);
            put(skip, "end", read.skipLayersEnd);
        }
    }

    private static void masks(ObjectNode fields, InpaintChoices inpaint) {
        fields.put("mask_blur", inpaint.blur).put("mask_invert", inpaint.inverted)
                .put("only_masked", inpaint.onlyMasked).put("mask_padding", inpaint.padding)
                .put("mask_fill", inpaint.fill == null ? null : inpaint.fill.label())
                .put("mask_paste", inpaint.pasted)
                .put("outpaint", inpaint.border == null ? null : inpaint.border.text());
    }

    private static void secondPass(ObjectNode fields, HiresChoices hires) {
        if (hires.isThere()) {
            if (hires.factor != null) {
                fields.put("hires", hires.factor);
            } else {
                fields.put("hires", hires.size.width() + "x" + hires.size.height());
            }
            fields.put("hires_strength", hires.strength).put("hires_steps", hires.steps)
                    .put("hires_upscaler", hires.upscaler == null ? null : hires.upscaler.label());
        }
    }

    private static void put(ObjectNode fields, String name, Float value) {
        if (value != null) {
            fields.put(name, Double.parseDouble(value.toString()));
        }
    }
}
