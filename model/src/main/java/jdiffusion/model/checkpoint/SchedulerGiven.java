package jdiffusion.model.checkpoint;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.tensor.InputException;

/**
 * A checkpoint for a request that says itself what a scheduler's file would say: one that cannot be read is left
 * aside, with a note, and what remains of it is that of the family's published models.
 */
public final class SchedulerGiven extends WrappedFiles {
    public SchedulerGiven(ModelFiles model) {
        super(model);
    }

    @Override
    public NoiseScheduler scheduler() {
        try {
            return model().scheduler();
        } catch (InputException _) {
            return architecture().scheduler();
        }
    }

    @Override
    public List<String> notes() {
        List<String> notes = new ArrayList<>(model().notes());
        try {
            model().scheduler();
        } catch (InputException e) {
            notes.add(e.getMessage() + "; the file is left aside, since sampler and noise levels are given, and the"
                    + " network is taken to predict what those of published models of this family do");
        }
        return notes;
    }
}
