package jdiffusion.model.pipeline;

import java.util.ArrayList;
import java.util.Arrays;
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
    /**
     * Latents on the way, for another model to go on with.
     *
     * @param latents [images, channels, height, width]
     * @param randoms of each draw
     */
    record Unfinished(float[] latents, List<TorchRandom> randoms) {
    }

    /** Clean latents [images, channels, height, width] as the denoiser sees them. */
    float[] run(GenerationRequest request, List<Conditioning> prompts, Progress progress) {
        return run(request, prompts, model.walk(request), null, progress).latents();
    }

    /**
     * A part of the way.
     *
     * @param from where it starts; null for noise, or for the request's picture
     */
    Unfinished run(GenerationRequest request, List<Conditioning> prompts, Walk walk, Unfinished from,
                   Progress progress) {
        LatentSpace space = model.latents();
        int height = request.height() / space.factor();
        int width = request.width() / space.factor();
        int size = space.size(request.height(), request.width());
        ImageCoder coder = new ImageCoder(stages, space, null);
        Noise.Moments moments = from == null ? moments(request, walk, coder, progress) : null;
        float[] control = request.control() == null ? null : space.means(coder.encode(request,
                request.control().pixels(model.control()), progress), !model.control().withoutShift());
        if (!request.guided() && !(request.skipLayers().layers().isEmpty() && request.negativeText().isEmpty()
                && request.guidanceRescale() == 0)) {
            progress.note("without guidance (a scale of 1 or less) a negative prompt, skipped layers and a guidance"
                    + " rescale have no effect");
        }
        String caution = from != null ? null
                : model.family().caution(model.variant(), model.scheduler(), request);
        if (caution != null) {
            progress.note(caution);
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
            List<TorchRandom> randoms = new ArrayList<>();
            if (stage.counting()) {
                loop.count();
                return new Unfinished(all, randoms);
            }
            for (int draw = 0; draw < draws; draw++) {
                int at = draw * batch * size;
                TorchRandom random = from == null ? new TorchRandom(request.seed() + draw) : from.randoms.get(draw);
                int before = draw * walk.evaluations();
                float[] latents = from == null
                        ? loop.run(Noise.draw(random, batch, size, moments, space), progress, before)
                        : loop.run(Arrays.copyOfRange(from.latents, at, at + batch * size), random, progress, before);
                System.arraycopy(latents, 0, all, at, latents.length);
                randoms.add(random);
            }
            return new Unfinished(stage.check(all), randoms);
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
