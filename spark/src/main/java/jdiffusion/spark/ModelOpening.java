package jdiffusion.spark;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import jdiffusion.batch.BatchModels;
import jdiffusion.batch.Fingerprints;
import jdiffusion.batch.ModelPainter;
import jdiffusion.batch.Painter;
import jdiffusion.batch.PainterSettings;
import jdiffusion.batch.Planned;
import jdiffusion.batch.Row;
import jdiffusion.batch.RowReader;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.device.DeviceChoice;
import jdiffusion.model.device.Devices;
import jdiffusion.model.families.Families;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Opens painters that draw with models. */
final class ModelOpening {
    private static final Logger LOG = LoggerFactory.getLogger(ModelOpening.class);

    private ModelOpening() {
    }

    /** A painter with the device that it draws on. */
    private record OnDevice(Painter painter, Devices.Opened opened) implements Painter {
        @Override
        public int images(Row row) {
            return painter.images(row);
        }

        @Override
        public Planned plan(Row row, int image) {
            return painter.plan(row, image);
        }

        @Override
        public void draw(List<Planned> pictures, Sink sink) {
            painter.draw(pictures, sink);
        }

        @Override
        public String device() {
            return painter.device();
        }

        @Override
        public void close() {
            try (opened) {
                painter.close();
            }
        }
    }

    /**
     * Opens the model's files at once: where this executor has none, the task fails, not the rows.
     *
     * @throws jdiffusion.tensor.InputException when there is no such model, or the settings contradict each other
     */
    static Painter open(Settings settings, String device, int threads) {
        BatchModels.Model usual = model(settings.model());
        DeviceChoice choice = new DeviceChoice(device, threads, null, null, "own", "own", false, false, 0, null,
                null);
        Consumer<String> notes = LOG::info;
        Devices.Opened opened = Devices.open(choice, settings.precision(), notes);
        return new OnDevice(new ModelPainter(PainterSettings.of(
                named -> named == null ? usual : model(named), version()),
                new RowReader(null, false, Path.of(""), settings.seed(), notes),
                new Fingerprints(null, notes), opened.backend(), notes), opened);
    }

    private static BatchModels.Model model(String named) {
        Path path = Path.of(named).toAbsolutePath().normalize();
        Path name = path.getFileName();
        return new BatchModels.Model(name == null ? "model" : name.toString(), Families.open(path, ModelSources.NONE));
    }

    /** As it stands in pictures, and as the command line writes it there. */
    static String version() {
        try (InputStream in = ModelOpening.class.getResourceAsStream("version.txt")) {
            return "jdiffusion " + new String(in.readAllBytes(), StandardCharsets.US_ASCII).strip();
        } catch (IOException e) {
            throw new IllegalStateException("the jar's version.txt cannot be read", e);
        }
    }
}
