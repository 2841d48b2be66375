package jdiffusion.server.draw;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.kernels.Precision;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.request.LoraRecord;
import jdiffusion.model.request.MemoryWish;
import jdiffusion.model.request.PictureText;
import jdiffusion.model.request.TaesdInput;
import jdiffusion.model.settings.Infotext;
import jdiffusion.model.stage.StageMemory;

/** What stands in pictures of the server: the same as in those of the command line. For one thread. */
final class ServedText {
    private final Precision precision;
    private final MemoryWish memory;
    private final String quantize;
    private final String version;
    /** Of the last request, whose LoRAs' files take long to hash. */
    private List<Lora> loras = List.of();
    private LoraRecord record;

    ServedText(Precision precision, MemoryWish memory, String quantize, String version) {
        this.precision = precision;
        this.memory = memory;
        this.quantize = quantize;
        this.version = version;
    }

    /**
     * The text of one of a prepared request's pictures.
     *
     * @param files   of the model with all that was added to it
     * @param decoded with which the picture was decoded, maybe on tiles
     */
    Infotext of(PreparedRequest prepared, GenerationRequest picture, ModelFiles files, StageMemory decoded) {
        if (record == null || !loras.equals(prepared.loras()) || !record.prompt().equals(prepared.prompt())) {
            loras = prepared.loras();
            record = LoraRecord.of(prepared.prompt(), List.of(), loras, List.of());
        }
        Map<String, String> more = new LinkedHashMap<>();
        if (quantize != null) {
            more.put(PictureText.QUANTIZE, quantize);
        }
        memory.describe(decoded.tile(), more);
        String name = prepared.model().path().toAbsolutePath().normalize().getFileName().toString();
        return new PictureText(files, name, precision, prepared.inputs(), record,
                prepared.control(), TaesdInput.NONE, more, version).of(picture);
    }
}
