package jdiffusion.model.adapter;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ControlNetFormat;
import jdiffusion.model.checkpoint.JoinedSource;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.WrappedFiles;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.QuantisedSource;
import jdiffusion.tensor.TensorSource;

/**
 * A model with a ControlNet, whose tensors and configuration come with the denoiser's: with {@link #CONTROL} before
 * their names.
 */
public final class ControlledFiles extends WrappedFiles {
    /** Before the names of a ControlNet's tensors, and the name of its configuration in the denoiser's. */
    public static final String CONTROL = "control_net";
    private static final String PREFIX = CONTROL + ".";

    private final Path path;
    private final ControlKind kind;

    private ControlledFiles(ModelFiles model, Path path, ControlKind kind) {
        super(model);
        this.path = path;
        this.kind = kind;
    }

    /**
     * @param path Stability's file or diffusers' folder
     * @param kind null to have it told from the file
     * @throws InputException when the files cannot be read or the kind cannot be told
     */
    public static ControlledFiles of(ModelFiles model, Path path, ControlKind kind) {
        ControlNetFormat format = model.architecture().controlNet();
        if (format == null) {
            throw new InputException(path + ": ControlNets for " + model.architecture().label() + " cannot be read yet;"
                    + " leave --control-net out");
        }
        try (ControlNetFile file = ControlNetFile.open(path, format)) {
            return new ControlledFiles(model, path, kind == null ? file.kind(path) : kind);
        }
    }

    public ControlKind kind() {
        return kind;
    }

    public Path path() {
        return path;
    }

    @Override
    public List<Path> weights(Component component) {
        List<Path> all = new ArrayList<>(super.weights(component));
        if (component == Component.DENOISER && !all.isEmpty()) {
            all.addAll(ControlNetFile.files(path));
        }
        return all;
    }

    @Override
    public Open open(Component component) {
        return with(component, model().open(component));
    }

    @Override
    public Open inspect(Component component) {
        return with(component, model().inspect(component));
    }

    private Open with(Component component, Open base) {
        if (component != Component.DENOISER) {
            return base;
        }
        try {
            return new ControlledOpen(base, ControlNetFile.open(path, architecture().controlNet()));
        } catch (RuntimeException | Error e) {
            base.close();
            throw e;
        }
    }

    private record ControlledOpen(Open base, ControlNetFile file) implements Open {
        @Override
        public TensorSource tensors() {
            return new JoinedSource(QuantisedSource.of(base.tensors()), file.tensors(), PREFIX);
        }

        @Override
        public ConfigFile config() {
            return base.config().with(CONTROL, file.config());
        }

        @Override
        public void close() {
            file.close();
            base.close();
        }
    }
}
