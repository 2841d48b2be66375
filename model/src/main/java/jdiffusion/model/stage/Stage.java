package jdiffusion.model.stage;

import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.Finite;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weights;

/**
 * A component with its weights where the device reads them, and memory for temporaries.
 *
 * @param name    what its component is called in messages
 * @param tensors its files, for the search for damaged weights
 * @param <M>     the component's model
 */
public record Stage<M>(String name, M model, Compute compute, TensorSource tensors) {
    /** Loads a component. */
    @FunctionalInterface
    public interface Loader<M> {
        M load(Weights weights, ConfigFile config);
    }

    /** What is done with a component. It is done twice: see {@link Stages#run}. */
    @FunctionalInterface
    public interface Work<M, T> {
        T run(Stage<M> stage);
    }

    /** Whether this run only counts memory: a loop that allocates nothing need not go round more than once. */
    public boolean counting() {
        return compute.counting();
    }

    /** A result on the host; fails when it is not finite. */
    public float[] download(Tensor result) {
        return check(compute.backend().download(result));
    }

    /** Fails when a result of this stage is not finite. */
    public float[] check(float[] result) {
        return Finite.check(name, result, tensors);
    }
}
