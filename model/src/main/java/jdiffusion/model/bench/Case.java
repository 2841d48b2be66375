package jdiffusion.model.bench;

import java.util.function.Supplier;
import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.stage.Stage;

/**
 * Something whose time is to be measured.
 *
 * @param part      gemm, attention, ...
 * @param what      which of them, for the user
 * @param component that it is of
 * @param weights   makes its weights, which are given back afterwards
 * @param prepare   makes its inputs; what it gives is run again and again
 * @param times     how often one run does what is reported
 * @param scale     how many of what a run does are in what is reported
 * @param <M>       what the weights are loaded into
 */
public record Case<M>(String part, String what, Component component, Supplier<ModelFiles.Open> weights,
                      Stage.Loader<M> loader, Prepare<M> prepare, int times, double scale) {
    /** Takes all the memory that the runs need from the compute's workspace. */
    @FunctionalInterface
    public interface Prepare<M> {
        Runnable prepare(M model, Compute compute);
    }
}
