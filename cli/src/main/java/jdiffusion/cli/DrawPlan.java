package jdiffusion.cli;

import jdiffusion.model.device.Devices;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.image.LatentPictures;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.pipeline.RefinedPipeline;
import jdiffusion.model.request.ControlInput;
import jdiffusion.model.request.InputPictures;
import jdiffusion.model.request.LoraRecord;
import jdiffusion.model.request.TaesdInput;

/**
 * What {@code generate} decided before the first computation.
 *
 * @param refined null without a refiner
 * @param pictures of previews; null without them
 */
record DrawPlan(Pipeline pipeline, RefinedPipeline refined, Devices.Opened device, String modelName,
                GenerationRequest request, InputPictures inputs, LoraRecord loras, ControlInput control,
                TaesdInput taesd, OutputFiles files, LatentPictures pictures) {
    void hold() {
        if (refined == null) {
            pipeline.hold(request);
        } else {
            refined.hold(request);
        }
    }
}
