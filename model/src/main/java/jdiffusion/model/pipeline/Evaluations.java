package jdiffusion.model.pipeline;

import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.guidance.Formula;
import jdiffusion.model.guidance.Guider;

/**
 * Which of a run's evaluations, counted from 0, are guided, and at what times the network is asked.
 *
 * @param formula in the place of classifier-free guidance; null for none
 */
record Evaluations(GenerationRequest request, Walk walk, Formula formula) {
    Evaluations(GenerationRequest request, Walk walk) {
        this(request, walk, request.guided() ? request.methods().guiders().formula() : null);
    }

    /** Whether the interval of guidance has an evaluation. */
    boolean guides(int n) {
        Guider.Interval interval = request.methods().guiders().interval();
        return interval == null || interval.active(n, walk.evaluations());
    }

    /** Whether the prediction is zero, and the network is not asked. */
    boolean zeroed(int n) {
        return formula != null && formula.zeroes(n);
    }

    /** Times of those in which all guidance branches are asked; of a request without guidance all. */
    float[] guided() {
        return times(n -> !zeroed(n) && (!request.guided() || guides(n)));
    }

    /** Times of those that are wanted. */
    float[] times(IntPredicate wanted) {
        int from = request.methods().branch() == null ? 0 : request.methods().branch().at();
        int[] evaluations = IntStream.range(from, walk.evaluations()).filter(wanted).toArray();
        float[] times = new float[evaluations.length];
        for (int i = 0; i < times.length; i++) {
            times[i] = walk.sigmas().timestep(walk.first() + evaluations[i]);
        }
        return times;
    }
}
