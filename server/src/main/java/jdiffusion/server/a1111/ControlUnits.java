package jdiffusion.server.a1111;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.request.PictureFields;
import jdiffusion.model.request.json.Fields;
import jdiffusion.server.calls.Calls;
import jdiffusion.server.http.HttpError;
import jdiffusion.server.http.Json;
import jdiffusion.tensor.InputException;

/** The units of the web UI's ControlNet extension: one, with a picture that is prepared already. */
record ControlUnits(Calls calls) {
    private static final String UNITS = "alwayson_scripts.controlnet";
    private static final String NONE = "none";
    /** Modes in which the unit counts as its weight says. */
    private static final Set<String> BALANCED = Set.of("0", "Balanced");

    void read(Fields fields, PictureFields asked) {
        ObjectNode unit = null;
        JsonNode scripts = fields.node("alwayson_scripts");
        for (var entry : scripts == null ? List.<Map.Entry<String, JsonNode>>of() : scripts.properties()) {
            for (JsonNode one : entry.getValue().path("args")) {
                if (entry.getKey().equalsIgnoreCase("controlnet") && one instanceof ObjectNode object && used(object)) {
                    if (unit != null) {
                        throw Generation.cannot(UNITS + " with more than one unit");
                    }
                    unit = object;
                }
            }
        }
        if (unit != null) {
            use(new Fields(unit), asked);
        }
    }

    private static boolean used(ObjectNode unit) {
        return unit.path("enabled").asBoolean(true) && (isNamed(unit, "model") || isNamed(unit, "module"));
    }

    private static boolean isNamed(ObjectNode unit, String field) {
        return unit.hasNonNull(field) && !unit.get(field).asText().isEmpty()
                && !unit.get(field).asText().equalsIgnoreCase(NONE);
    }

    private void use(Fields unit, PictureFields asked) {
        if (calls.preparer().controlFolder() == null) {
            throw Generation.cannot(UNITS + " (it was started without --control-dir)");
        }
        if (isNamed(unit.json(), "module")) {
            throw Generation.cannot(UNITS + "'s module '" + InputException.shown(unit.json().get("module").asText())
                    + "' (pictures are to be prepared before, with module none)");
        }
        asked.controlNet = unit.text("model");
        asked.controlStrength = unit.decimal("weight");
        asked.controlStart = unit.precise("guidance_start");
        asked.controlEnd = unit.precise("guidance_end");
        JsonNode mode = unit.node("control_mode");
        if (mode != null && !BALANCED.contains(mode.asText())) {
            asked.notes.add("control_mode has no effect here");
        }
        JsonNode image = unit.node("image", "input_image");
        if (image instanceof ObjectNode parts) {
            if (parts.hasNonNull("mask")) {
                asked.notes.add("the mask of the ControlNet's picture has no effect here");
            }
            image = parts.get("image");
        }
        byte[] file = image == null || image.isNull() ? null
                : new Fields(Json.object().set("image", image)).file("image");
        asked.controlPicture = file == null ? asked.init : calls.decode(() -> PictureFile.read(file, "image"));
        if (asked.controlPicture == null) {
            throw HttpError.badField("image", UNITS + " has no image");
        }
    }
}
