package jdiffusion.model.adapter;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/**
 * An adapter that the user wants added to the model.
 *
 * @param file   safetensors, or the folder that diffusers or PEFT saved one in
 * @param weight factor on top of the file's own scales; 1 for as trained, 0 for none
 */
public record Lora(Path file, float weight) {
    private static final List<String> IN_FOLDERS =
            List.of("pytorch_lora_weights.safetensors", "adapter_model.safetensors");

    public Lora {
        if (!Float.isFinite(weight)) {
            throw new InputException(file + ": the weight of a LoRA is " + weight + "; give a number");
        }
    }

    /** The safetensors file itself. */
    public Path weights() {
        if (!Files.isDirectory(file)) {
            return file;
        }
        for (String name : IN_FOLDERS) {
            if (InputFile.isThere(file.resolve(name))) {
                return file.resolve(name);
            }
        }
        throw new InputException(file + ": this folder has neither " + String.join(" nor ", IN_FOLDERS)
                + "; give the LoRA's file");
    }
}
