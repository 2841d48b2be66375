package jdiffusion.model.pipeline;

import java.util.List;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.family.Progress;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.stage.Stages;

/** From noise to clean latents, for all pictures of a request. */
record DenoiseStage(ModelInfo model, Stages stages) {
    /** Clean latents [images, channels, height, width] as the denoiser sees them. */
    float[] run(GenerationRequest request, List<Conditioning> prompts, Progress progress) {
        LatentSpace space = model.latents();
        int height = request.height() / space.factor();
        int width = request.width() / space.factor();
        int size = space.size(request.height(), request.width());
        ImageCoder coder = new ImageCoder(stages, space, null);
        float[] moments = request.init() == null ? null
                : coder.encode(request, request.init().toModel(), progress);
        float[] control = request.control() == null ? null : space.means(coder.encode(request,
                request.control().pixels(model.control()), progress), !model.control().withoutShift());
        if (!request.guided() && !(request.skipLayers().layers().isEmpty() && request.negativeText().isEmpty()
                && request.guidanceRescale() == 0)) {
            progress.note("without guidance (a scale of 1 or less) a negative prompt, skipped layers and a guidance"
                    + " rescale have no effect");
        }
        boolean oneDraw = request.seeds() == GenerationRequest.Seeds.ONE_DRAW;
        int batch = oneDraw ? request.images() : 1;
        int draws = oneDraw ? 1 : request.images();
        Walk walk = model.walk(request);
        StageClock clock = new StageClock(Progress.Stage.DENOISE, draws * walk.evaluations(), progress);
        float[] mask = request.latentMask(space);
        DenoiserSetup setup = new DenoiserSetup(prompts, batch, height, width, new float[0], List.of(), control);
        return stages.run(Component.DENOISER, model.family()::loadDenoiser, (Stage<Denoiser> stage) -> {
            DenoiseLoop loop = new DenoiseLoop(stage.model(), stage.compute(), request, walk, setup, mask);
            float[] all = new float[Math.multiplyExact(request.images(), size)];
            if (stage.counting()) {
                loop.count();
                return all;
            }
            int[] done = {0};
            for (int draw = 0; draw < draws; draw++) {
                Noise noise = Noise.draw(request.seed() + draw, batch, size, moments, space);
                float[] latents = loop.run(noise, supplier -> progress.step(++done[0], supplier),
                        progress::cancelled);
                System.arraycopy(latents, 0, all, draw * batch * size, latents.length);
            }
            return stage.check(all);
        }, memory -> {
            clock.used(memory);
            clock.stop();
        });
    }
}
