package jdiffusion.model.checkpoint;

import java.util.List;

/**
 * One component of an architecture, and where it is in each layout.
 *
 * @param folder    in the diffusers layout
 * @param tokenizer folder of its tokenizer there; null when it reads no text
 * @param optional  whether models are published without it
 * @param prefix    of its names in a file that holds all components
 * @param adapters  what the names of its modules start with in LoRA files: diffusers and PEFT; the publisher's and
 *                  ComfyUI's; then with underscores kohya, OneTrainer and LyCORIS
 */
public record ComponentFormat(Component component, Network network, String folder, String tokenizer, boolean optional,
                              String prefix, List<String> adapters) {
    public ComponentFormat {
        adapters = List.copyOf(adapters);
    }
}
