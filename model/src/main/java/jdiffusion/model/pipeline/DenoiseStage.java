package jdiffusion.model.pipeline;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.family.Progress;
import jdiffusion.model.guidance.Push;
import jdiffusion.model.image.Picture;
import jdiffusion.model.sampling.RandomNormals;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.stage.Stages;

/**
 * From noise to clean latents, for all pictures of a request.
 *
 * @param taesd whether it encodes init images
 */
record DenoiseStage(ModelInfo model, Stages stages, TaesdUse taesd) {
    /**
     * Latents on the way, for another model to go on with.
     *
     * @param latents [images, channels, height, width]
     * @param randoms of each draw
     */
    record Unfinished(float[] latents, List<RandomNormals> randoms) {
    }

    /** Clean latents [images, channels, height, width] as the denoiser sees them. */
    float[] run(GenerationRequest request, List<Conditioning> prompts, Progress progress) {
        return run(request, prompts, model.walk(request), null, progress).latents();
    }

    /**
     * The same from pictures that are encoded already.
     *
     * @param starts for each picture
     */
    float[] runFrom(List<Noise.Moments> starts, GenerationRequest request, List<Conditioning> prompts,
                    Progress progress) {
        return run(request, prompts, model.walk(request), starts, null, progress).latents();
    }

    /**
     * A part of the way.
     *
     * @param from where it starts; null for noise, or for the request's picture
     */
    Unfinished run(GenerationRequest request, List<Conditioning> prompts, Walk walk, Unfinished from,
                   Progress progress) {
        ImageCoder coder = new ImageCoder(stages, model.latents(), taesd);
        List<Noise.Moments> starts = from == null
                ? List.of(moments(request, walk, picture -> coder.encode(request, picture, progress))) : List.of();
        return run(request, prompts, walk, starts, from, progress);
    }

    /** @param starts for all pictures, or for each one; not read where the run goes on */
    private Unfinished run(GenerationRequest request, List<Conditioning> prompts, Walk walk,
                           List<Noise.Moments> starts, Unfinished from, Progress progress) {
        boolean oneDraw = request.seeds() == GenerationRequest.Seeds.ONE_DRAW;
        int batch = oneDraw ? request.images() : 1;
        int draws = oneDraw ? 1 : request.images();
        DenoiserSetup setup = setup(request, prompts, batch, control(request, progress));
        noteUnguided(request, progress);
        return run(request, walk, setup, draws, starts, draw -> from == null
                ? request.methods().noise().random(request.seed() + draw) : from.randoms.get(draw),
                from == null ? null : from.latents, progress);
    }

    /**
     * Clean latents of several requests, of each what it gets alone.
     *
     * @param requests of one {@link BatchKey}, as they are drawn
     */
    List<float[]> together(List<GenerationRequest> requests, List<List<Conditioning>> prompts, Progress progress) {
        List<BatchKey> keys = requests.stream().map(BatchKey::of).distinct().toList();
        if (keys.size() != 1 || keys.getFirst() == null || requests.size() != prompts.size()) {
            throw new IllegalArgumentException(requests.size() + " requests with " + prompts.size()
                    + " conditionings cannot be denoised together: they differ in more than text and seed, or some"
                    + " must be denoised alone");
        }
        GenerationRequest first = requests.getFirst();
        int branches = first.guided() ? 2 : 1;
        Conditioning[] entries = new Conditioning[branches * requests.size()];
        for (int i = 0; i < requests.size(); i++) {
            if (prompts.get(i).size() != branches) {
                throw new IllegalArgumentException("request " + i + " has " + prompts.get(i).size()
                        + " conditionings in place of " + branches);
            }
            for (int branch = 0; branch < branches; branch++) {
                entries[branch * requests.size() + i] = prompts.get(i).get(branch);
            }
        }
        // They are alike in all that is noted but their negative prompts.
        noteUnguided(requests.stream().filter(request -> !request.negativeText().isEmpty()).findFirst().orElse(first),
                progress);
        LatentSpace space = model.latents();
        int size = space.size(first.height(), first.width());
        DenoiserSetup setup = new DenoiserSetup(List.of(entries), requests.size(), first.height() / space.factor(),
                first.width() / space.factor(), new float[0]);
        float[] all = run(first, model.walk(first), setup, 1, List.of(new Noise.Moments(null, null, false)),
                _ -> new RowNormals(requests.stream().map(request -> request.methods().noise().random(request.seed()))
                        .toList(), new float[size]), null, progress).latents();
        return IntStream.range(0, requests.size()).mapToObj(i -> Arrays.copyOfRange(all, i * size, (i + 1) * size))
                .toList();
    }

    /**
     * @param starts  for all pictures, or for each one; not read where the run goes on
     * @param randoms of each draw
     * @param going   latents of all draws to go on from; null for a start from noise
     */
    private Unfinished run(GenerationRequest request, Walk walk, DenoiserSetup setup, int draws,
                           List<Noise.Moments> starts, IntFunction<RandomNormals> randoms, float[] going,
                           Progress progress) {
        LatentSpace space = model.latents();
        int size = space.size(request.height(), request.width());
        int batch = setup.images();
        progress.latents(request.height() / space.factor(), request.width() / space.factor());
        StageClock clock = new StageClock(Progress.Stage.DENOISE, draws * walk.evaluations(), progress);
        float[] mask = LatentMask.of(request, space, model.readsMasked());
        Function<SecondDevice, Unfinished> first = other -> stages.run(Component.DENOISER,
                model.family()::loadDenoiser, (Stage<Denoiser> stage) -> {
            DenoiseLoop loop = new DenoiseLoop(stage.model(), stage.compute(), request, walk, setup, mask, other);
            float[] all = new float[Math.multiplyExact(draws * batch, size)];
            List<RandomNormals> drawn = new ArrayList<>();
            if (stage.counting()) {
                loop.count();
                return new Unfinished(all, drawn);
            }
            for (int draw = 0; draw < draws; draw++) {
                int at = draw * batch * size;
                RandomNormals random = randoms.apply(draw);
                int before = draw * walk.evaluations();
                float[] latents = going == null
                        ? loop.run(Noise.draw(random, batch, size, starts.size() == 1 ? starts
                                : starts.subList(draw * batch, (draw + 1) * batch), space), progress, before)
                        : loop.run(Arrays.copyOfRange(going, at, at + batch * size), random, progress, before);
                System.arraycopy(latents, 0, all, at, latents.length);
                drawn.add(random);
            }
            return new Unfinished(stage.check(all), drawn);
        }, clock::used);
        Unfinished done = stages.second() == null || !request.guided() ? first.apply(null)
                : SecondDevice.with(stages.second(), model.family()::loadDenoiser, request, walk, setup, clock::used,
                        first);
        clock.stop();
        return done;
    }

    /** A note where what acts through guidance is asked for without it. */
    static void noteUnguided(GenerationRequest request, Progress progress) {
        if (!request.guided() && request.methods().guiders().all().stream().anyMatch(g -> !(g instanceof Push))) {
            progress.note("without guidance (a scale of 1 or less) of the guiders only pag and seg have an effect");
        }
        if (!request.guided() && !(request.skipLayers().layers().isEmpty() && request.negativeText().isEmpty()
                && request.guidanceRescale() == 0)) {
            progress.note("without guidance (a scale of 1 or less) a negative prompt, skipped layers and a guidance"
                    + " rescale have no effect");
        }
    }

    /** What the ControlNet reads, by the VAE that it was trained with; null without one. */
    float[] control(GenerationRequest request, Progress progress) {
        LatentSpace space = model.latents();
        return request.control() == null ? null : space.means(new ImageCoder(stages, space, TaesdUse.NONE)
                .encode(request, request.control().pixels(model.control()), progress).values(),
                !model.control().withoutShift());
    }

    /**
     * What all pictures of a request have in common.
     *
     * @param prompts the conditioning of each guidance branch
     * @param control what {@link #control} gave
     */
    DenoiserSetup setup(GenerationRequest request, List<Conditioning> prompts, int batch, float[] control) {
        int factor = model.latents().factor();
        return new DenoiserSetup(DenoiserSetup.repeated(prompts, batch), batch, request.height() / factor,
                request.width() / factor, new float[0], List.of(), control);
    }

    /**
     * The pictures that the request has, encoded as diffusers' pipelines for flows and for diffusions do.
     *
     * @param encoder of [3, height, width] in -1 to 1
     */
    Noise.Moments moments(GenerationRequest request, Walk walk, Function<float[], Noise.Encoded> encoder) {
        if (request.init() == null) {
            return new Noise.Moments(null, null, false);
        }
        boolean flow = walk.prediction().isFlow();
        boolean read = model.readsMasked();
        float[] picture = request.init().toModel();
        // At full strength nothing of the picture is kept but what the network is shown.
        Noise.Encoded init = read && walk.first() == 0 ? null : encoder.apply(picture);
        Noise.Encoded masked = read ? encoder.apply(masked(picture, request.mask())) : null;
        return new Noise.Moments(init, masked, request.mask() != null && !flow && taesd.encoder() == null);
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
