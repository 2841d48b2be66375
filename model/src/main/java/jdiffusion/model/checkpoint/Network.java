package jdiffusion.model.checkpoint;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.model.tokenizer.TokenizerKind;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;

/**
 * All that there is to know of the files of one kind of network: CLIP, T5, the autoencoder, a family's denoiser.
 * Tensors have the names of the diffusers layout here, but for {@link #signatures}.
 */
public interface Network {
    /** What it is called among the networks that are known: CLIP, MMDiT. */
    String label();

    /** The class that {@code config.json} and {@code model_index.json} name. */
    String className();

    /** By what it is recognised in a file of weights. */
    List<Signature> signatures();

    /** The names that files in the layout of its publisher have. */
    Naming original();

    /** The names that LoRA files may have for its matrices beside those of diffusers. */
    default List<Naming> adapters() {
        return List.of(original());
    }

    /**
     * Modules that some models of this kind have and others are without, so that LoRAs for the former are used with the
     * latter: by the beginning of their names, in the layout of diffusers or the publisher, what they are.
     */
    default Map<String, String> ofSome() {
        return Map.of();
    }

    /**
     * Names of tensors that stand without any prefix in a file of all components, and say of this one what a
     * {@code config.json} says in the diffusers layout. They are no weights of it.
     */
    default Set<String> outside() {
        return Set.of();
    }

    /** Those tensors by what a {@code config.json} says. */
    default Map<String, Tensor> outside(ConfigFile config) {
        return Map.of();
    }

    /** Whether those tensors stand behind the prefix of its weights all the same, where there is one. */
    default boolean isPrefixedOutside() {
        return false;
    }

    /**
     * What shapes do not say, as the published models have it, for files without a configuration.
     *
     * @param tensors with those {@link #outside()}
     */
    ObjectNode derived(TensorSource tensors);

    /** The keys of {@code config.json} that shapes say nothing of. */
    Set<String> silent();

    /**
     * All that other programs need to build it, as far as its tensors say it.
     *
     * @throws jdiffusion.tensor.InputException when tensors and configuration contradict each other
     */
    ObjectNode described(Weights weights, ConfigFile config);

    /** Whether a {@code config.json} is that of such a network with these tensors. */
    boolean isOf(ConfigFile config, TensorSource tensors);

    /**
     * Builds it from its tensors; nothing is computed.
     *
     * @throws jdiffusion.tensor.InputException when tensors are missing, left over or of wrong shapes
     */
    Object load(Weights weights, ConfigFile config);

    /** The kind of tokenizer that feeds it; null when it reads no text. */
    default TokenizerKind tokenizer() {
        return null;
    }

    /** Whether a tensor of that name can be one of its weights, or says how they are stored. */
    default boolean isWeight(String name) {
        return true;
    }

    /** Why a matrix is not quantised unless a pattern names it; null when it is. */
    default String sensitive(String tensor) {
        return null;
    }

    /** The tensors with those that files leave out because all know what is in them. */
    default TensorSource completed(TensorSource tensors) {
        return tensors;
    }
}
