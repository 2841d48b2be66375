package jdiffusion.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import jdiffusion.model.adapter.AdaptedFiles;
import jdiffusion.model.adapter.ControlKind;
import jdiffusion.model.adapter.ControlledFiles;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.family.Control;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.tensor.InputException;

/**
 * A model with all that the user adds to it.
 *
 * @param files    of the model with LoRAs and ControlNet
 * @param kind     of the ControlNet, or null without
 * @param picture  for the ControlNet, as the user gave it; or null without
 */
record ControlInput(ModelFiles files, ControlKind kind, Picture picture, AdapterOptions options) {
    static final String NET = "ControlNet";
    static final String KIND = "ControlNet kind";
    static final String STRENGTH = "ControlNet strength";
    static final String START = "ControlNet start";
    static final String END = "ControlNet end";
    static final String HASH = "ControlNet image hash";

    static ControlInput of(ModelFiles model, List<Lora> loras, AdapterOptions options) {
        ModelFiles adapted = AdaptedFiles.of(options.embedded(model), loras);
        if (options.controlNet == null) {
            if (options.controlImage != null || options.controlKind != null || options.controlStrength != null
                    || options.controlStart != null || options.controlEnd != null) {
                throw new InputException("--control-image and its settings need a ControlNet; give --control-net");
            }
            return new ControlInput(adapted, null, null, options);
        }
        if (options.controlImage == null) {
            throw new InputException("--control-net needs a picture to read; give --control-image");
        }
        ControlKind kind = options.controlKind == null ? null : ControlKind.of(options.controlKind);
        Picture picture = PictureFile.read(options.controlImage);
        ControlledFiles files = ControlledFiles.of(adapted, options.controlNet, kind);
        return new ControlInput(files, files.kind(), picture, options);
    }

    /** The request with the picture, resampled to the request's size. */
    GenerationRequest addTo(GenerationRequest request) {
        if (picture == null) {
            return request;
        }
        return request.toBuilder().control(new Control(picture.resized(request.width(), request.height()), kind,
                options.controlStrength == null ? 1 : options.controlStrength,
                options.controlStart == null ? 0 : options.controlStart,
                options.controlEnd == null ? 1 : options.controlEnd)).build();
    }

    /** Name of the ControlNet's file or folder. */
    private String name() {
        Path name = options.controlNet.toAbsolutePath().normalize().getFileName();
        return name == null ? NET : name.toString();
    }

    void describe(GenerationRequest request, Map<String, String> fields) {
        Control control = request.control();
        if (control != null) {
            fields.put(NET, name());
            fields.put(KIND, kind.label());
            fields.put(STRENGTH, PictureSettings.number(control.strength()));
            fields.put(START, PictureSettings.number(control.start()));
            fields.put(END, PictureSettings.number(control.stop()));
            fields.put(HASH, InputPictures.hash(picture));
        }
    }

    /** For the line of settings. */
    String inWords(GenerationRequest request) {
        Control control = request.control();
        return control == null ? "" : ", ControlNet " + name() + " (" + kind.label() + ") strength "
                + control.strength() + " from " + control.start() + " to " + control.stop();
    }
}
