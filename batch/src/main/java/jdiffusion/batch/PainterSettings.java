package jdiffusion.batch;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.family.Family;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.image.PictureFormat;
import jdiffusion.model.request.MemoryWish;
import jdiffusion.model.request.TaesdInput;

/**
 * What a {@link ModelPainter} draws with, for all rows.
 *
 * @param models    by name
 * @param usual     what rows leave open
 * @param loras     added for every row
 * @param given     the same as written
 * @param loraDir   where LoRAs are that prompts name; null for none
 * @param taesd     in the VAE's place
 * @param memory    how much may be taken
 * @param more      further settings for pictures' texts, by their names
 * @param format    of the files
 * @param together  pictures that are denoised at once at most; 0 for what suits their size
 * @param version   of the program
 */
public record PainterSettings(BatchModels models, Usual usual, List<Lora> loras, List<String> given, Path loraDir,
                              TaesdInput taesd, MemoryWish memory, Map<String, String> more, PictureFormat format,
                              int together, String version) {
    /** Settings of the run, which rows may change. */
    @FunctionalInterface
    public interface Usual {
        /** @param defaults of the model, with the prompt */
        GenerationRequest of(GenerationRequest defaults, Family family);
    }

    /** A model with its defaults, and nothing else. */
    public static PainterSettings of(BatchModels models, String version) {
        return new PainterSettings(models, (defaults, _) -> defaults, List.of(), List.of(), null, TaesdInput.NONE,
                MemoryWish.NONE, Map.of(), PictureFormat.PNG, 0, version);
    }
}
