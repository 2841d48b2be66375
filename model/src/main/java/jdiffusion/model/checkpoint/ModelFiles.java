package jdiffusion.model.checkpoint;

import java.nio.file.Path;
import java.util.List;
import jdiffusion.model.embedding.Embeddings;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.model.tokenizer.VocabularyFile;
import jdiffusion.model.tokenizer.places.Looked;
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

    /**
     * Why a component that the model needs is not there, with what to do; null when it is there, or when a text
     * encoder was left out, whose part of the denoiser's input then is zero.
     */
    String missing(Component component);

    /** How the files are laid out, in a few words. */
    String layout();

    /** Where a component that is there lies, and under which names, in a few words. */
    String place(Component component);

    /** What was chosen or left out, for the user, a line each. */
    List<String> notes();

    /** What they are files of. */
    Architecture architecture();

    /** Which of its family's published models the user says that it is; null when nothing is said. */
    String variant();

    /** The file of the denoiser, or the model's folder, whose name may say which model it is; null for none. */
    Path named();

    /** Maps a component's weights; fails when the component is not there. */
    Open open(Component component);

    /** The same for who looks at shapes and sizes alone: what its tensors hold must not be read. */
    default Open inspect(Component component) {
        return open(component);
    }

    /**
     * The files that a component's tensors lie in, always in the same order; none where they lie in memory.
     *
     * @throws jdiffusion.tensor.InputException when an index of them cannot be read
     */
    List<Path> weights(Component component);

    Tokenizer tokenizer(Component component);

    /** Where the vocabulary of an encoder's tokenizer lies; null when there is none. */
    default VocabularyFile vocabulary(Component component) {
        return null;
    }

    /** All vocabularies for an encoder in all places that are looked into, with what is wrong with each. */
    default List<Looked> vocabularies(Component component) {
        return List.of();
    }

    /** The textual inversions that prompts may name. */
    default Embeddings embeddings() {
        return Embeddings.NONE;
    }

    NoiseScheduler scheduler();

    /** {@code model_index.json}; empty in other layouts. */
    default ConfigFile index() {
        return ConfigFile.empty(origin());
    }

    /** The checkpoint's own wishes for sampling; empty when it has none. */
    ConfigFile generationConfig();
}
