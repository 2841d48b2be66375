package jdiffusion.model.adapter;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ControlNetFormat;
import jdiffusion.model.checkpoint.HubCache;
import jdiffusion.model.checkpoint.LeftAside;
import jdiffusion.model.checkpoint.names.RenamedSource;
import jdiffusion.model.checkpoint.names.Wrappers;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.QuantisedSource;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.safetensors.Checkpoint;

/**
 * A ControlNet's files, mapped until closed: Stability's single file, or a folder of diffusers with its
 * {@code config.json}.
 */
final class ControlNetFile implements AutoCloseable {
    private static final String WEIGHTS = "diffusion_pytorch_model";
    private static final String CONFIG = "config.json";
    private static final String KIND = "control_type";

    private final Checkpoint checkpoint;
    private final TensorSource tensors;
    private final ConfigFile config;
    private final ControlNetFormat format;

    private ControlNetFile(Checkpoint checkpoint, TensorSource tensors, ConfigFile config,
                           ControlNetFormat format) {
        this.format = format;
        this.checkpoint = checkpoint;
        this.tensors = tensors;
        this.config = config;
    }

    /** @param format of its family */
    static ControlNetFile open(Path given, ControlNetFormat format) {
        Path path = HubCache.snapshot(given);
        boolean folder = Files.isDirectory(path);
        Path file = folder ? path.resolve(CONFIG) : path.resolveSibling(CONFIG);
        ConfigFile config = InputFile.isThere(file) && ConfigFile.read(file).text("_class_name", "")
                .contains("ControlNet") ? ConfigFile.read(file) : ConfigFile.empty(path.toString());
        Checkpoint checkpoint = folder ? Checkpoint.open(path, WEIGHTS) : Checkpoint.open(path);
        boolean opened = false;
        try {
            TensorSource stored = Wrappers.without(QuantisedSource.of(checkpoint));
            String prefix = prefix(stored, format.mark());
            List<String> names = stored.names().stream().filter(name -> name.startsWith(prefix))
                    .map(name -> name.substring(prefix.length())).filter(name -> !LeftAside.isTraining(name)).toList();
            TensorSource tensors = RenamedSource.of(stored, prefix, format.naming().fromOriginal(names));
            if (tensors.shape(format.mark()) == null) {
                throw new InputException(path + ": is no ControlNet, it has no " + format.mark()
                        + "; give the file of one with --control-net");
            }
            opened = true;
            return new ControlNetFile(checkpoint, tensors, config, format);
        } finally {
            if (!opened) {
                checkpoint.close();
            }
        }
    }

    /** The files that its tensors lie in. */
    static List<Path> files(Path given) {
        Path path = HubCache.snapshot(given);
        List<Path> found = Files.isDirectory(path) ? Checkpoint.candidates(path, WEIGHTS) : List.of(path);
        return found.isEmpty() ? List.of() : Checkpoint.files(found.getFirst());
    }

    /** What stands before all names, of whatever program. */
    private static String prefix(TensorSource stored, String mark) {
        return stored.names().stream().filter(name -> name.endsWith("." + mark)).findFirst()
                .map(name -> name.substring(0, name.length() - mark.length()))
                .filter(_ -> !stored.names().contains(mark)).orElse("");
    }

    TensorSource tensors() {
        return tensors;
    }

    ConfigFile config() {
        return config;
    }

    /** What the picture shows: as the file says, or else its name. */
    ControlKind kind(Path path) {
        Tensor stored = tensors.find(KIND);
        if (stored != null && stored.shape().size() == 1) {
            int number = (int) stored.reshape(1, 1).get(0, 0);
            if (number >= 0 && number < ControlKind.NUMBERED) {
                return ControlKind.values()[number];
            }
            throw new InputException(path + ": " + KIND + " is " + number + "; 0 (blur), 1 (canny) and 2 (depth) are"
                    + " known");
        }
        Path name = path.toAbsolutePath().normalize().getFileName();
        String text = name == null ? "" : name.toString().toLowerCase(Locale.ROOT);
        for (ControlKind kind : ControlKind.values()) {
            if (text.contains(kind.label())) {
                return kind;
            }
        }
        if (tensors.shape(format.anyKind()) != null) {
            return ControlKind.OTHER;
        }
        throw new InputException(path + ": whether this ControlNet reads blurred pictures, edges or depths can be told"
                + " neither from its tensors nor from its name; say with --control-kind blur, canny or depth");
    }

    @Override
    public void close() {
        checkpoint.close();
    }
}
