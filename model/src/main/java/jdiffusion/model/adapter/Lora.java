package jdiffusion.model.adapter;

import java.nio.file.Path;
import jdiffusion.tensor.InputException;

/**
 * An adapter that the user wants added to the model.
 *
 * @param file   safetensors
 * @param weight factor on top of the file's own scales; 1 for as trained, 0 for none
 */
public record Lora(Path file, float weight) {
    public Lora {
        if (!Float.isFinite(weight)) {
            throw new InputException(file + ": the weight of a LoRA is " + weight + "; give a number");
        }
    }
}
