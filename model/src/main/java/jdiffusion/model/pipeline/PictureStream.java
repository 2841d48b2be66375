package jdiffusion.model.pipeline;

import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.counting.CountingBackend;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Inpainting;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.family.MaskFill;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Cutout;
import jdiffusion.model.image.Paste;
import jdiffusion.model.image.Picture;
import jdiffusion.model.sampling.TorchRandom;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.stage.Offload;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.stage.Stages;
import jdiffusion.tensor.InputException;

/**
 * Redraws pictures of one size one after the other, image to image with the same request, as webcams and videos need
 * it. What does not depend on the picture is done once: text is encoded, the denoiser with its workspaces, its
 * conditioning and what it makes of the times, and the autoencoder stay where they are. A picture becomes what
 * {@link Pipeline#generate} makes of it as the request's init image, to the byte. For one thread at a time.
 */
public final class PictureStream implements AutoCloseable {
    private final DenoiseStage stage;
    private final LatentSpace space;
    private final GenerationRequest request;
    private final SizeFit fit;
    /** What is drawn for it. */
    private final GenerationRequest drawn;
    private final Walk walk;
    private final ImageCoder.Standing coder;
    private final Stages.Standing<Denoiser> denoiser;
    private final DenoiseLoop loop;

    private PictureStream(DenoiseStage stage, GenerationRequest request, List<Conditioning> prompts,
                          Progress progress) {
        this.stage = stage;
        this.space = stage.model().latents();
        this.request = request;
        this.fit = SizeFit.of(stage.model(), request);
        this.drawn = fit.drawn(request);
        this.walk = stage.model().walk(drawn);
        float[] control = stage.control(drawn, progress);
        stage.stages().close();
        DenoiserSetup setup = stage.setup(drawn, prompts, 1, control);
        float[] mask = LatentMask.of(drawn, space, stage.model().readsMasked());
        Stage.Work<Denoiser, DenoiseLoop> start = at -> new DenoiseLoop(at.model(), at.compute(), drawn, walk, setup,
                mask, null);
        this.denoiser = stage.stages().stand(Component.DENOISER, stage.model().family()::loadDenoiser, at -> {
            start.run(at).count();
            return null;
        });
        try {
            this.loop = denoiser.run(start);
            this.coder = new ImageCoder(stage.stages(), space, stage.taesd()).stand(drawn.height(), drawn.width());
        } catch (RuntimeException | Error e) {
            denoiser.close();
            throw e;
        }
    }

    /**
     * Gets everything ready for {@link #draw}. The text encoders stay only if the pipeline offloads nothing; the rest
     * stays in any case.
     *
     * @param request  with the size of all pictures, and the strength; its init image is not read, a mask counts for
     *                 all pictures
     * @param progress follows the encoding of the text
     * @throws InputException when the model cannot do what is asked
     */
    public static PictureStream open(Pipeline pipeline, GenerationRequest request, Progress progress) {
        Picture blank = new Picture(request.width(), request.height(),
                new byte[Math.multiplyExact(3, Math.multiplyExact(request.width(), request.height()))]);
        GenerationRequest one = request.toBuilder().images(1).init(blank, request.strength()).build();
        checkWhole(one);
        pipeline.check(one);
        DenoiseStage.noteUnguided(one, progress);
        List<Conditioning> prompts = pipeline.encode(one, progress);
        Backend backend = pipeline.backend();
        MemoryPolicy policy = pipeline.policy();
        // On a device all that stays shares its memory; tiles are chosen for what is left of it.
        MemoryPolicy own = !CountingBackend.of(backend).isDevice() ? policy
                : new MemoryPolicy(Offload.NONE, policy.streamed(), policy.tiling(), policy.tile(), policy.budget());
        return new PictureStream(new DenoiseStage(pipeline.info(), new Stages(pipeline.files(), backend, own),
                pipeline.taesd()), one, prompts, progress);
    }

    /** What depends on each picture's own colours, or on parts of it, is done for single pictures alone. */
    private static void checkWhole(GenerationRequest request) {
        Inpainting inpainting = request.inpainting();
        boolean part = inpainting.paste() != null && !inpainting.paste().cutout()
                .equals(Cutout.whole(request.width(), request.height()));
        if (part || inpainting.fill() != MaskFill.ORIGINAL) {
            throw new InputException("a stream redraws whole pictures from themselves; leave out parts, borders and fills"
                    + " of masks");
        }
    }

    /** What each picture is drawn with. */
    public GenerationRequest request() {
        return request;
    }

    /** How often the denoiser is asked for each picture. */
    public int evaluations() {
        return walk.evaluations();
    }

    /** Bytes of weights, mapped files aside, and of temporaries that stay. */
    public long bytes() {
        return denoiser.bytes() + coder.bytes();
    }

    /** Redraws a picture of the request's size with the request's seed. */
    public Picture draw(Picture picture) {
        return draw(picture, request.seed());
    }

    /** The same with another seed. */
    public Picture draw(Picture picture, long seed) {
        if (picture.width() != request.width() || picture.height() != request.height()) {
            throw new InputException("the picture is " + picture.width() + "x" + picture.height() + ", the stream "
                    + request.width() + "x" + request.height() + "; resize it");
        }
        GenerationRequest one = drawn.toBuilder().init(fit.placed(picture), request.strength()).build();
        Noise.Moments moments = stage.moments(one, walk, coder::encode);
        Noise noise = Noise.draw(request.methods().noise().random(seed), 1,
                space.size(drawn.height(), drawn.width()), List.of(moments), space);
        float[] latents = denoiser.run(at -> at.check(loop.run(noise, Progress.NONE, 0)));
        float[] values = fit.fitted(coder.decode(latents, request.mask() != null), 1);
        Picture whole = Picture.ofModel(values, 0, request.width(), request.height());
        Paste paste = request.inpainting().paste();
        return paste == null ? whole : paste.over(picture).of(whole);
    }

    /** Lets go of all that stayed. */
    @Override
    public void close() {
        try (denoiser; coder) {
            // Closed from right to left, each also when the other fails.
        }
    }
}
