package jdiffusion.model.tokenizer.places;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Programs that draw pictures have their tokenizers in their own folder, below which their models lie. */
final class ProgramFolders {
    /** ComfyUI's, seen from its folder; then those of forks that keep them elsewhere. */
    private static final List<String> COMFY = List.of("comfy/sd1_tokenizer", "comfy/text_encoders/t5_tokenizer",
            "comfy/t5_tokenizer", "comfy/text_encoders/t5_pile_tokenizer", "ldm_patched/modules/sd1_tokenizer");
    /** ComfyUI's folder, seen from one above the models: itself, beside it, SwarmUI's, Stability Matrix's. */
    private static final List<String> INSTALLED = List.of("", "ComfyUI", "comfyui", "dlbackend/comfy/ComfyUI",
            "dlbackend/ComfyUI", "Packages/ComfyUI", "Data/Packages/ComfyUI");
    /** Forge's: one folder for each model that it knows, {@code OWNER/NAME/tokenizer}. */
    private static final List<String> FORGE = List.of("backend/huggingface", "webui/backend/huggingface");
    /** SD.Next's: {@code MODEL/tokenizer}. */
    private static final String SD_NEXT = "configs";
    /** Folders above the model that are looked into. */
    private static final int MOST_ABOVE = 8;
    private static final int MOST_ENTRIES = 128;

    private ProgramFolders() {
    }

    /** The tokenizers' folders of the program in whose folder a file lies, by its name and behind links. */
    static List<Path> around(Path model) {
        Set<Path> above = new LinkedHashSet<>();
        addAbove(model.toAbsolutePath().normalize(), above);
        try {
            addAbove(model.toRealPath(), above);
        } catch (IOException e) {
            // Then the name alone counts.
            return in(above);
        }
        return in(above);
    }

    private static void addAbove(Path model, Set<Path> above) {
        Path folder = model;
        for (int i = 0; i < MOST_ABOVE && folder != null; i++, folder = folder.getParent()) {
            if (Files.isDirectory(folder)) {
                above.add(folder);
            }
        }
    }

    /** The same of folders that may be the program's own. */
    static List<Path> in(Iterable<Path> programs) {
        List<Path> found = new ArrayList<>();
        for (Path folder : programs) {
            for (String installed : INSTALLED) {
                for (String name : COMFY) {
                    add(folder.resolve(installed).resolve(name).normalize(), found);
                }
            }
            for (String forge : FORGE) {
                Listing.folders(folder.resolve(forge), MOST_ENTRIES).forEach(owner -> addModels(owner, found));
            }
            addModels(folder.resolve(SD_NEXT), found);
        }
        return found;
    }

    /** The tokenizers' folders of models in the diffusers layout. */
    private static void addModels(Path models, List<Path> found) {
        for (Path model : Listing.folders(models, MOST_ENTRIES)) {
            Listing.folders(model, MOST_ENTRIES).stream()
                    .filter(part -> part.getFileName().toString().startsWith("tokenizer")).forEach(found::add);
        }
    }

    private static void add(Path folder, List<Path> found) {
        if (Files.isDirectory(folder)) {
            found.add(folder);
        }
    }
}
