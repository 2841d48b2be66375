package jdiffusion.server.draw;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.adapter.AdaptedFiles;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.adapter.LoraTags;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.PromptWeights;
import jdiffusion.model.request.FieldException;
import jdiffusion.model.request.PictureFields;
import jdiffusion.model.request.RequestMaker;
import jdiffusion.tensor.InputException;

/**
 * Makes checked requests of what clients ask for, for all interfaces alike.
 *
 * @param loraFolder where LoRAs are that prompts name; null for none
 */
public record RequestPreparer(ServedModels servedModels, Path loraFolder, Limits limits) {
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
        if (asked.weights == null && model.family().readsWeights()
                && (PromptWeights.actOn(asked.prompt) || PromptWeights.actOn(asked.negativePrompt))) {
            asked.weights = asked.usualWeights;
        }
        List<String> notes = new ArrayList<>();
        List<Lora> loras = loras(asked);
        GenerationRequest plain = RequestMaker.settings(asked, model.request(LoraTags.without(asked.prompt)),
                model.sizes(), notes::add);
        limits.check(plain);
        GenerationRequest request = RequestMaker.pictures(asked, plain);
        model.check(request);
        if (!loras.isEmpty()) {
            AdaptedFiles.of(model.files(), loras);
        }
        notes.addAll(0, asked.notes);
        notes.addAll(model.notes(request));
        return new PreparedRequest(model, request, loras, asked.prompt, asked.init, asked.mask, List.copyOf(notes));
    }

    private List<Lora> loras(PictureFields asked) {
        try {
            return LoraTags.loras(asked.prompt, asked.negativePrompt, loraFolder);
        } catch (InputException e) {
            // Where the folder is, is no client's business.
            throw new FieldException("prompt", "lora", loraFolder == null ? e.getMessage()
                    : e.getMessage().replace(loraFolder + "/", "").replace(loraFolder.toString(), "the LoRAs' folder"));
        }
    }
}
