package jdiffusion.model.pipeline;

import java.util.List;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.sampling.TorchRandom;
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
        Walk walk = model.walk(request);
        Noise.Moments moments = moments(request, walk, coder, progress);
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
                Noise noise = Noise.draw(new TorchRandom(request.seed() + draw), batch, size, moments, space);
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

    /** The pictures that the request has, encoded as diffusers' pipelines for flows and for diffusions do. */
    private Noise.Moments moments(GenerationRequest request, Walk walk, ImageCoder coder, Progress progress) {
        if (request.init() == null) {
            return new Noise.Moments(null, null, false);
        }
        boolean flow = walk.prediction().isFlow();
        boolean read = model.readsMasked();
        float[] picture = request.init().toModel();
        // At full strength nothing of the picture is kept but what the network is shown.
        float[] init = read && walk.first() == 0 ? null : coder.encode(request, picture, progress);
        float[] masked = read ? coder.encode(request, masked(picture, request.mask()), progress) : null;
        return new Noise.Moments(init, masked, request.mask() != null && !flow);
    }

    /** The picture with 0, a middle grey, where it is to be drawn. */
    private static float[] masked(float[] picture, Picture mask) {
        int[] luma = mask.luma();
        for (int i = 0; i < picture.length; i++) {
            picture[i] = luma[i % luma.length] >= Picture.WHITE ? 0 : picture[i];
        }
        return picture;
    }
}
