package jdiffusion.server.own;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;
import jdiffusion.model.family.Hires;
import jdiffusion.model.family.MaskFill;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.settings.FoundSettings;
import jdiffusion.model.settings.SettingsReader;
import jdiffusion.server.draw.ServedModel;
import jdiffusion.server.draw.ServedModels;
import jdiffusion.server.http.HttpError;
import jdiffusion.server.http.Json;
import jdiffusion.tensor.InputException;

/** How a picture was drawn, in the fields of a job that draws it again. */
record SettingsJson(ServedModels models) {
    private static final Set<String> SWITCHED_OFF = Set.of("off", "false");

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
        Map<String, String> more = new LinkedHashMap<>(found.more());
        ObjectNode fields = Json.object().put("prompt", found.prompt());
        // An empty one and none are two things to some families.
        boolean encoded = "encoded".equals(more.remove("Empty negative prompt"));
        if (encoded || !found.negativePrompt().isEmpty()) {
            fields.put("negative_prompt", found.negativePrompt());
        }
        ArrayNode notes = Json.array();
        found.notes().forEach(note -> notes.add(said(note, file)));
        model(found.model(), fields, notes);
        more.remove("Model");
        fields.put("width", found.width()).put("height", found.height()).put("steps", found.steps());
        put(fields, "guidance", found.guidance());
        if (found.seed() != null) {
            fields.set("seed", fields.numberNode(new BigInteger(Long.toUnsignedString(found.seed()))));
        }
        fields.put("sampler", found.sampler() == null ? null : found.sampler().label())
                .put("scheduler", found.schedule() == null ? null : found.schedule().label());
        put(fields, "shift", found.shift());
        fields.put("strength", found.strength());
        more(fields, more, found.sampler());
        fields.properties().removeIf(field -> field.getValue().isNull());
        if (found.hasInit()) {
            notes.add("it started from another picture, which is not in it" + (found.hasMask() ? ", and was drawn only"
                    + " where a mask was white" : ""));
        }
        ObjectNode json = Json.object().put("tool", found.tool());
        json.set("fields", fields);
        ObjectNode rest = json.putObject("more");
        more.forEach(rest::put);
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

    private static void more(ObjectNode fields, Map<String, String> more, Sampler.Kind sampler) {
        take(fields, more, "Guidance", "embedded_guidance", Double::valueOf);
        take(fields, more, "Distilled CFG Scale", "embedded_guidance", Double::valueOf);
        take(fields, more, "Guidance rescale", "guidance_rescale", Double::valueOf);
        take(fields, more, sampler == Sampler.Kind.DDIM ? "Eta DDIM" : "Eta", "eta", Double::valueOf);
        take(fields, more, "Clip skip", "clip_skip", Integer::valueOf);
        take(fields, more, "Prompt 2", "prompt_2", text -> text);
        take(fields, more, "Negative prompt 2", "negative_prompt_2", text -> text);
        take(fields, more, "T5 length", "t5_length", Integer::valueOf);
        take(fields, more, "T5", "t5", text -> !SWITCHED_OFF.contains(text));
        take(fields, more, "Clean caption", "clean_caption", text -> !SWITCHED_OFF.contains(text));
        take(fields, more, "Guiders", "guiders", text -> text);
        take(fields, more, "Cache", "cache", text -> text);
        take(fields, more, "Prompt weights", "weights", text -> text);
        if ("NV".equals(more.get("RNG"))) {
            take(fields, more, "RNG", "noise", _ -> "philox");
        }
        masks(fields, more);
        take(fields, more, "Resolution binning", "resolution_binning", text -> !SWITCHED_OFF.contains(text));
    }

    /** How a mask acted, and the second pass. */
    private static void masks(ObjectNode fields, Map<String, String> more) {
        take(fields, more, "Mask blur", "mask_blur", Integer::valueOf);
        take(fields, more, "Mask mode", "mask_invert", text -> text.equalsIgnoreCase("Inpaint not masked"));
        take(fields, more, "Inpaint area", "only_masked", text -> text.equalsIgnoreCase("Only masked"));
        take(fields, more, "Masked area padding", "mask_padding", Integer::valueOf);
        take(fields, more, "Masked content", "mask_fill", text -> Stream.of(MaskFill.values())
                .filter(fill -> fill.title().equalsIgnoreCase(text)).findFirst().map(MaskFill::label)
                .orElseThrow(NumberFormatException::new));
        take(fields, more, "Hires upscale", "hires", Double::valueOf);
        if (fields.has("hires")) {
            take(fields, more, "Denoising strength", "hires_strength", Double::valueOf);
            take(fields, more, "Hires steps", "hires_steps", Integer::valueOf);
            take(fields, more, "Hires upscaler", "hires_upscaler", text -> Optional.ofNullable(Hires.Upscaler.find(text))
                    .map(Hires.Upscaler::label).orElseThrow(NumberFormatException::new));
        }
    }

    /** What cannot be understood stays among the rest. */
    private static void take(ObjectNode fields, Map<String, String> more, String key, String name,
                             Function<String, Object> reading) {
        String value = more.get(key);
        if (value == null || fields.has(name)) {
            return;
        }
        try {
            fields.putPOJO(name, reading.apply(value));
            more.remove(key);
        } catch (NumberFormatException _) {
            // shown with the rest
        }
    }

    private static void put(ObjectNode fields, String name, Float value) {
        if (value != null) {
            fields.put(name, Double.parseDouble(value.toString()));
        }
    }
}
