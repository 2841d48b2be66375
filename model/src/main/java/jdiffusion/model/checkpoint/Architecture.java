package jdiffusion.model.checkpoint;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.tokenizer.TokenizerKind;
import jdiffusion.tensor.TensorSource;

/** What a family's files are like: all that reading, converting, quantising and adapting a model must know of it. */
public interface Architecture {
    /** One word in lower case: sd3. */
    String name();

    /** What GGUF files name as their architecture. */
    default String ggufName() {
        return name();
    }

    /** What it is called in messages: SD3. */
    String label();

    /** The class that {@code model_index.json} names. */
    String pipeline();

    /** The published models in words, for messages. */
    String models();

    /** Its components, encoders first, in the order in which their outputs are joined. */
    List<ComponentFormat> formats();

    /** The scheduler of its published models, for files that come without one. */
    NoiseScheduler scheduler();

    /**
     * The same, as far as the files themselves tell which of them it is.
     *
     * @param marks what there is to see of a model
     */
    default NoiseScheduler scheduler(Marks marks) {
        return scheduler();
    }

    /**
     * By what models of equal shapes may be told apart.
     *
     * @param variant what the user says; null for nothing
     * @param file    of the denoiser
     * @param names   of all tensors in it
     */
    record Marks(String variant, Path file, Set<String> names) {
    }

    /** Whether its publisher's single file holds the text encoders too. */
    default boolean isWhole() {
        return false;
    }

    /** Whether its publisher's single files hold one component each, the VAE too, under names with nothing before. */
    default boolean isApart() {
        return false;
    }

    /**
     * What a component's names start with in a file that holds all components.
     *
     * @param there the components of the model
     */
    default String prefix(Component component, Set<Component> there) {
        return format(component).prefix();
    }

    /** Whether a component of this kind, told by shapes, can serve a denoiser. */
    boolean fits(Component component, TensorSource tensors, TensorSource denoiser);

    /** Whether a model draws without this text encoder, with zeros in its place. */
    default boolean drawsWithout(Component encoder) {
        return encoder.isEncoder();
    }

    /** Whether a denoiser, told by its shapes, reads what this component makes. */
    default boolean isRead(Component component, TensorSource denoiser) {
        return true;
    }

    /** Which published model these files are, for messages. */
    String model(ModelFiles files);

    /** Of its ControlNets; null when none can be read. */
    default ControlNetFormat controlNet() {
        return null;
    }

    /** Whether a {@code model_index.json} of that class is of this architecture. */
    default boolean isPipeline(String className) {
        return className.startsWith(pipeline().substring(0, pipeline().length() - "Pipeline".length()));
    }

    /** Why a model of that class, though of this architecture, cannot be used; null where it can. */
    default String refused(String className) {
        return null;
    }

    /** What tensors of a network are that is none of this architecture's, but belongs to it; null for unknown ones. */
    default String stranger(Set<String> names) {
        return null;
    }

    default Set<Component> components() {
        return formats().stream().map(ComponentFormat::component).collect(Collectors.toCollection(TreeSet::new));
    }

    /** @throws IllegalArgumentException when it has no such component */
    default ComponentFormat format(Component component) {
        return formats().stream().filter(format -> format.component() == component).findFirst()
                .orElseThrow(() -> new IllegalArgumentException(label() + " has no " + component));
    }

    default Network network(Component component) {
        return format(component).network();
    }

    /** Folder of a component in the diffusers layout. */
    default String folder(Component component) {
        return format(component).folder();
    }

    /** Kind of an encoder's tokenizer; null for what reads no text. */
    default TokenizerKind tokenizerKind(Component component) {
        return network(component).tokenizer();
    }

    /** Folder of an encoder's tokenizer there; null for what reads no text. */
    default String tokenizerFolder(Component component) {
        return format(component).tokenizer();
    }
}
