package jdiffusion.cli;

import java.util.List;
import jdiffusion.kernels.Precision;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.settings.Infotext;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.server.draw.PreparedRequest;
import jdiffusion.server.draw.PictureText;

/** What stands in pictures of the server: the same as in those of {@code generate}. */
final class ServedText implements PictureText {
    private final Precision precision;
    private final QuantizeOptions quantizing;
    private final MemoryOptions memory;
    /** Of the last request, whose LoRAs' files take long to hash. */
    private List<Lora> loras = List.of();
    private LoraRecord record;

    ServedText(Precision precision, QuantizeOptions quantizing, MemoryOptions memory) {
        this.precision = precision;
        this.quantizing = quantizing;
        this.memory = memory;
    }

    @Override
    public Infotext of(PreparedRequest prepared, GenerationRequest picture, ModelFiles files, StageMemory decoded) {
        memory.follower().used(Progress.Stage.DECODE, decoded);
        if (record == null || !loras.equals(prepared.loras()) || !record.prompt().equals(prepared.prompt())) {
            loras = prepared.loras();
            record = LoraRecord.of(prepared.prompt(), new AdapterOptions(), loras, List.of());
        }
        AdapterOptions none = new AdapterOptions();
        return PictureSettings.describe(picture, files, prepared.model().path().toAbsolutePath().normalize()
                .getFileName().toString(), precision, new InputPictures(prepared.init(), prepared.mask()), record,
                new ControlInput(files, null, null, none), new TaesdInput(null, false, false), new RefinerOptions(),
                quantizing, memory);
    }
}
