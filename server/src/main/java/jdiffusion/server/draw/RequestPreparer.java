package jdiffusion.server.draw;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.adapter.AdaptedFiles;
import jdiffusion.model.adapter.ControlFolder;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.adapter.LoraTags;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.PromptWeights;
import jdiffusion.model.request.ControlChoice;
import jdiffusion.model.request.ControlInput;
import jdiffusion.model.request.FieldException;
import jdiffusion.model.request.InputPictures;
import jdiffusion.model.request.PictureFields;
import jdiffusion.model.request.RequestMaker;
import jdiffusion.tensor.InputException;

/**
 * Makes checked requests of what clients ask for, for all interfaces alike.
 *
 * @param loraFolder    where LoRAs are that prompts name; null for none
 * @param controlFolder where ControlNets are that requests name; null for none
 */
public record RequestPreparer(ServedModels servedModels, Path loraFolder, Path controlFolder, Limits limits) {
    /**
     * Fills in what the client leaves open, and fails where the model cannot do what is asked.
     *
     * @throws InputException saying what is wrong; a {@link FieldException} where it is one field
     */
    public PreparedRequest of(PictureFields asked) {
        if (asked.prompt == null) {
            throw new FieldException("prompt", "missing", "the prompt is missing");
        }
        limits.checkText("prompt", asked.prompt);
        limits.checkText("negative_prompt", asked.negativePrompt);
        limits.checkText("prompt_2", asked.prompt2);
        limits.checkText("negative_prompt_2", asked.negativePrompt2);
        ServedModel model = servedModels.find(asked.model);
        if (asked.weights == null && model.family().isOfA1111()
                && (PromptWeights.actOn(asked.prompt) || PromptWeights.actOn(asked.negativePrompt))) {
            asked.weights = asked.usualWeights;
        }
        List<String> notes = new ArrayList<>();
        List<Lora> loras = loras(asked);
        ControlInput control = control(asked, AdaptedFiles.of(model.files(), loras));
        GenerationRequest plain = RequestMaker.settings(asked, model.request(LoraTags.without(asked.prompt), control),
                model.sizes(), notes::add);
        limits.check(plain);
        limits.checkPart(asked);
        GenerationRequest larger = RequestMaker.secondPass(asked, plain, model.patch(), notes::add);
        limits.check(larger);
        GenerationRequest request = control.addTo(RequestMaker.pictures(asked, larger));
        model.check(request, control);
        notes.addAll(0, asked.notes);
        notes.addAll(model.notes(request));
        return new PreparedRequest(model, request, loras, control, asked.prompt,
                new InputPictures(asked.init, asked.mask, asked.inpaint.settings()), List.copyOf(notes));
    }

    private ControlInput control(PictureFields asked, ModelFiles adapted) {
        if (asked.controlNet == null) {
            return ControlInput.none(adapted);
        }
        if (controlFolder == null) {
            throw new FieldException("model", "not_found", "this server has no ControlNets; it is started with"
                    + " --control-dir for them");
        }
        try {
            Path net = ControlFolder.find(controlFolder, asked.controlNet);
            return ControlInput.of(adapted, asked.controlPicture, new ControlChoice(net, null, null,
                    asked.controlStrength, asked.controlStart, asked.controlEnd));
        } catch (InputException e) {
            throw new FieldException("model", "control_net", hidden(e.getMessage(), controlFolder,
                    "the ControlNets' folder"));
        }
    }

    /** A message without the folder: where it is, is no client's business. */
    private static String hidden(String message, Path folder, String name) {
        return message.replace(folder + "/", "").replace(folder.toString(), name);
    }

    private List<Lora> loras(PictureFields asked) {
        try {
            return LoraTags.loras(asked.prompt, asked.negativePrompt, loraFolder);
        } catch (InputException e) {
            throw new FieldException("prompt", "lora", loraFolder == null ? e.getMessage()
                    : hidden(e.getMessage(), loraFolder, "the LoRAs' folder"));
        }
    }
}
