package jdiffusion.server.own;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Iterator;
import java.util.Set;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.request.PictureFields;
import jdiffusion.model.request.json.ExtraFields;
import jdiffusion.model.request.json.Fields;
import jdiffusion.model.request.json.SettingFields;
import jdiffusion.server.calls.Calls;
import jdiffusion.server.http.HttpError;
import jdiffusion.tensor.InputException;

/** Reads the body of a job. A field that is not known is refused: it may be another one misspelt. */
record FieldReader(Calls calls) {
    static final String CANCEL_ON_DISCONNECT = "cancel_on_disconnect";
    /** Whether the pictures come into the history. */
    static final String KEEP = "keep";
    private static final Set<String> MORE = Set.of("init", "mask", "control", CANCEL_ON_DISCONNECT, KEEP);

    PictureFields read(Fields fields) {
        Iterator<String> names = fields.json().fieldNames();
        while (names.hasNext()) {
            String name = names.next();
            if (!SettingFields.NAMES.contains(name) && !MORE.contains(name)) {
                throw HttpError.badField(InputException.shown(name), "there is no field '"
                        + InputException.shown(name) + "'; GET /api/v1/options and the documentation name those there"
                        + " are");
            }
        }
        PictureFields asked = new PictureFields();
        SettingFields.read(fields, asked);
        pictures(fields, asked);
        ExtraFields.read(fields, asked);
        control(fields, asked);
        return asked;
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
        byte[] init = fields.file("init");
        byte[] mask = fields.file("mask");
        asked.init = init == null ? null : calls.decode(() -> PictureFile.read(init, "init"));
        asked.mask = mask == null ? null : calls.decode(() -> PictureFile.readMask(mask, "mask", asked.notes::add));
    }
}
