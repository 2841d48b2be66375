package jdiffusion.model.pipeline;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.stage.MemoryPlan;
import jdiffusion.model.stage.StageMemory;

/** The memory that drawing a request takes, found by going through it without computing anything. */
final class Planning {
    private Planning() {
    }

    /** @param text whether the text encoders are part of it */
    static MemoryPlan of(Pipeline pipeline, GenerationRequest request, boolean text) {
        List<StageMemory> runs = new ArrayList<>();
        Progress count = new Progress() {
            @Override
            public void used(Progress.Stage stage, StageMemory memory) {
                runs.add(memory);
            }
        };
        try (Pipeline twin = pipeline.counting(pipeline.counter())) {
            if (text) {
                twin.generate(request, count);
            } else {
                twin.checker().check(request, false);
                twin.holdPictures(request, true, true);
                Conditioning none = pipeline.family().blank(pipeline.denoiserConfig(), request.t5Length());
                int branches = (request.guided() ? 2 : 1) * (request.hires() == null ? 1 : 2);
                List<Conditioning> prompts = Collections.nCopies(branches, none);
                twin.decodeValues(request, twin.denoise(request, prompts, count), count);
            }
        }
        return new MemoryPlan(runs);
    }
}
