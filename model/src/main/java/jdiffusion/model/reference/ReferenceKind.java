package jdiffusion.model.reference;

import java.nio.file.Path;
import java.util.List;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.stage.Stage;

/**
 * A kind of folder of reference data: the weights and {@code config.json} of one network beside what it computed.
 *
 * @param classes   that its {@code config.json} may name
 * @param component role of the network
 * @param check     recomputes and compares
 * @param <M>       what the weights are loaded into
 */
public record ReferenceKind<M>(List<String> classes, Component component, Stage.Loader<M> loader, Check<M> check) {
    /** Recomputes one network's tensors. */
    @FunctionalInterface
    public interface Check<M> {
        /** @param folder for messages */
        void run(Path folder, Expected expected, Stage<M> stage);
    }
}
