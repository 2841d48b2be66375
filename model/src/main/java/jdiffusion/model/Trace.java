package jdiffusion.model;

import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.tensor.Tensor;

/**
 * Sees the named tensors of a run, its sites, at the moment when they are there, and may change them: what is computed
 * afterwards reads what it left. Names are those of the reference data ({@code block.3.image},
 * {@code hidden_states.0}). A tensor is only valid during the call.
 */
@FunctionalInterface
public interface Trace {
    /** Sees nothing; models skip even the making of names for it. */
    Trace NONE = (name, module, tensor, heads) -> false;

    /**
     * @param name   of the site
     * @param module of the checkpoint that gives the tensor, or with {@code (input)} behind it reads it; empty for
     *               none
     * @param tensor the outermost dimension, or a multiple of it, is the batch
     * @param heads  that its columns are divided into; 0 where they are not
     * @return whether it was changed
     */
    boolean see(String name, String module, Tensor tensor, int heads);

    /** A tensor whose columns are not divided into heads. */
    default boolean see(String name, String module, Tensor tensor) {
        return see(name, module, tensor, 0);
    }

    /**
     * Runs an attention of the network, which this may look at or change.
     *
     * @param streams as {@link Backend#attention} takes them, in the order that the site says
     */
    default void attention(Backend backend, AttentionSite site, AttentionShape shape, List<AttentionStream> streams) {
        backend.attention(shape, streams, null);
    }

    /** How often a block runs: once unless an experiment says otherwise. */
    default int passes(String block) {
        return 1;
    }

    /** The same of the block that this is below. */
    default int passes() {
        return passes("");
    }

    /**
     * A run of the denoiser is about to be set up, or to be asked.
     *
     * @param images   pictures of each guidance branch
     * @param branches in the order of the batch
     */
    default void batch(int images, Branch... branches) {
    }

    /**
     * Of the batch one entry alone is set up or asked from now on.
     *
     * @param entry its number in the batch; below 0 for all of them again
     */
    default void entry(int entry) {
    }

    /**
     * An evaluation of the denoiser is done, and its prediction was seen.
     *
     * @param again does it once more, into the same tensor
     */
    default void evaluated(Runnable again) {
    }

    /**
     * The steps that follow.
     *
     * @param step evaluations of the denoiser before this one
     * @param draw pictures, or batches of them, before this one
     */
    default void step(int step, int draw) {
    }

    /** The same below a part of the network, or this where nothing is seen. */
    default Trace at(String part, int index, String stack) {
        return at(part, index, stack, index);
    }

    /**
     * The same below a part of the network.
     *
     * @param part    names of sites begin with it and the index
     * @param stack   of the checkpoint
     * @param inStack index there
     */
    default Trace at(String part, int index, String stack, int inStack) {
        return this == NONE ? this : new Part(this, part + "." + index, stack + "." + inStack);
    }

    /** Sites below a name; an empty name is that of the part itself. */
    record Part(Trace whole, String name, String module) implements Trace {
        @Override
        public boolean see(String site, String of, Tensor tensor, int heads) {
            return whole.see(site.isEmpty() ? name : name + "." + site,
                    of.isEmpty() ? module : module + (of.startsWith("(") ? " " : ".") + of, tensor, heads);
        }

        @Override
        public void attention(Backend backend, AttentionSite site, AttentionShape shape,
                              List<AttentionStream> streams) {
            whole.attention(backend, site.below(name), shape, streams);
        }

        @Override
        public int passes(String block) {
            return whole.passes(block.isEmpty() ? name : name + "." + block);
        }
    }
}
