package jdiffusion.model.checkpoint;

import jdiffusion.model.sampling.SchedulerConfig;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.tensor.TensorSource;

/**
 * A user's checkpoint, whatever its layout, as the pipeline wants it: components under the names of the diffusers
 * layout. Another layout is another implementation, which renames (and slices: its fused matrices are views).
 */
public interface ModelFiles {
    /** Files of one component, open until closed. */
    interface Open extends AutoCloseable {
        TensorSource tensors();

        ConfigFile config();

        @Override
        void close();
    }

    /** What the user calls this model: its path. */
    String origin();

    boolean has(Component component);

    /** Maps a component's weights; fails when the component is not there. */
    Open open(Component component);

    /** The same for who looks at shapes and sizes alone: what its tensors hold must not be read. */
    default Open inspect(Component component) {
        return open(component);
    }

    Tokenizer tokenizer(Component component);

    SchedulerConfig scheduler();

    /** The checkpoint's own wishes for sampling; empty when it has none. */
    ConfigFile generationConfig();
}
