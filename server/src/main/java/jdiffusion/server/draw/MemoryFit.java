package jdiffusion.server.draw;

import java.util.function.Consumer;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.pipeline.Pipeline;

/** Chooses how much of a model stays in memory. */
@FunctionalInterface
public interface MemoryFit {
    /**
     * The pipeline under the fastest policy that fits while nothing else is on the device.
     *
     * @param notes told where memory decided
     */
    Pipeline fit(Pipeline pipeline, GenerationRequest request, Consumer<String> notes);
}
