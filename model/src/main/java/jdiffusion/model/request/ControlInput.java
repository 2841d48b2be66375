package jdiffusion.model.request;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import jdiffusion.model.adapter.AdaptedFiles;
import jdiffusion.model.adapter.ControlKind;
import jdiffusion.model.adapter.ControlledFiles;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.family.Control;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;

/**
 * A model with all that the user adds to it.
 *
 * @param files    of the model with LoRAs and ControlNet
 * @param kind     of the ControlNet, or null without
 * @param picture  for the ControlNet, as the user gave it; or null without
 * @param choice   the ControlNet and its settings, as the user gave them
 */
public record ControlInput(ModelFiles files, ControlKind kind, Picture picture, ControlChoice choice) {
    public static final String NET = "ControlNet";
    public static final String KIND = "ControlNet kind";
    public static final String STRENGTH = "ControlNet strength";
    public static final String START = "ControlNet start";
    public static final String END = "ControlNet end";
    public static final String HASH = "ControlNet image hash";

    /** A model without a ControlNet. */
    public static ControlInput none(ModelFiles files) {
        return new ControlInput(files, null, null, ControlChoice.NONE);
    }

    /** The model with the LoRAs and, where one is chosen, the ControlNet. */
    public static ControlInput of(ModelFiles model, List<Lora> loras, ControlChoice choice) {
        ModelFiles adapted = AdaptedFiles.of(model, loras);
        choice.check();
        if (choice.net() == null) {
            return none(adapted);
        }
        Picture picture = PictureFile.read(choice.picture());
        return of(adapted, picture, choice);
    }

    /** A model with LoRAs and the ControlNet that is chosen, whose picture is read already. */
    public static ControlInput of(ModelFiles adapted, Picture picture, ControlChoice choice) {
        ControlledFiles files = ControlledFiles.of(adapted, choice.net(), choice.kind());
        return new ControlInput(files, files.kind(), picture, choice);
    }

    /** The request with the picture, resampled to the request's size. */
    public GenerationRequest addTo(GenerationRequest request) {
        if (picture == null) {
            return request;
        }
        return request.toBuilder().control(new Control(picture.resized(request.width(), request.height()), kind,
                choice.strength() == null ? 1 : choice.strength(), choice.start() == null ? 0 : choice.start(),
                choice.end() == null ? 1 : choice.end())).build();
    }

    /** Name of the ControlNet's file or folder. */
    private String name() {
        Path name = choice.net().toAbsolutePath().normalize().getFileName();
        return name == null ? NET : name.toString();
    }

    /** Adds it to a picture's text. */
    public void describe(GenerationRequest request, Map<String, String> fields) {
        Control control = request.control();
        if (control != null) {
            fields.put(NET, name());
            fields.put(KIND, kind.label());
            fields.put(STRENGTH, PictureText.number(control.strength()));
            fields.put(START, PictureText.number(control.start()));
            fields.put(END, PictureText.number(control.stop()));
            fields.put(HASH, InputPictures.hash(picture));
        }
    }

    /** For the line of settings. */
    public String inWords(GenerationRequest request) {
        Control control = request.control();
        return control == null ? "" : ", ControlNet " + name() + " (" + kind.label() + ") strength "
                + control.strength() + " from " + control.start() + " to " + control.stop();
    }
}
