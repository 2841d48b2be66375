package jdiffusion.model.reference;

import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.stage.Stage;
import jdiffusion.tensor.safetensors.Checkpoint;

/**
 * A kind of folder of reference data: the weights and {@code config.json} of one network beside what it computed.
 *
 * @param classes   that its {@code config.json} may name
 * @param component role of the network
 * @param check     recomputes and compares
 * @param layouts   of a folder's weights
 * @param <M>       what the weights are loaded into
 */
public record ReferenceKind<M>(List<String> classes, Component component, Stage.Loader<M> loader, Check<M> check,
                               Function<Path, List<Layout>> layouts) {
    /** One where the weights are in the diffusers layout. */
    public ReferenceKind(List<String> classes, Component component, Stage.Loader<M> loader, Check<M> check) {
        this(classes, component, loader, check, folder -> List.of(new Layout(folder.toString(), () -> new Folder(
                Checkpoint.open(folder, component.weights()), ConfigFile.read(folder.resolve("config.json"))))));
    }

    /**
     * One way in which a folder has the weights; each is checked.
     *
     * @param label folder, as the user named it, or a file
     */
    public record Layout(String label, Supplier<ModelFiles.Open> files) {
    }

    private record Folder(Checkpoint tensors, ConfigFile config) implements ModelFiles.Open {
        @Override
        public void close() {
            tensors.close();
        }
    }

    /** Recomputes one network's tensors. */
    @FunctionalInterface
    public interface Check<M> {
        /** @param folder for messages */
        void run(Path folder, Expected expected, Stage<M> stage);
    }
}
