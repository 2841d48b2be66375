package jdiffusion.model.pipeline;

import java.nio.file.Path;
import java.util.List;
import java.util.function.Supplier;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.counting.CountingBackend;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.Conditioner;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.DenoiserConfig;
import jdiffusion.model.family.Family;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.ImageSize;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.family.Progress;
import jdiffusion.model.family.Variant;
import jdiffusion.model.image.Picture;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.sampling.Sigmas;
import jdiffusion.model.sites.Experiment;
import jdiffusion.model.stage.MemoryPlan;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.stage.Watch;
import jdiffusion.model.vae.TaesdFile;
import jdiffusion.model.vae.Vae;
import jdiffusion.tensor.InputException;

/**
 * Text to image, image to image and inpainting with a model of any family, as stages that can also be run one by one:
 * {@link #encode}, {@link #denoise}, {@link #decode}. Unless the policy says otherwise, each component lets go of its
 * weights and of all its memory before the next begins; between stages only small arrays live on. Only a pipeline that
 * offloads nothing holds anything that closing it gives back.
 */
public final class Pipeline implements AutoCloseable {
    private final ModelInfo model;
    private final MemoryPolicy policy;
    private final TaesdUse taesd;
    private final Stages stages;
    private final Conditioner conditioner;

    /** @param second null for none */
    private Pipeline(ModelInfo model, Backend backend, Backend second, MemoryPolicy policy, TaesdUse taesd) {
        if (backend.precision() == Precision.FP8) {
            Float8Check.check(model.files());
        }
        this.model = model;
        this.policy = policy;
        this.taesd = taesd;
        this.stages = new Stages(model.files(), backend, second, policy);
        this.conditioner = model.family().conditioner(stages, model.denoiser());
    }

    /** Opens a model of any family and layout. Configurations are read, weights are not yet. */
    public static Pipeline open(Path model, Backend backend) {
        return open(Families.open(model, ModelSources.NONE), backend);
    }

    /** The same with files of any layout, or with adapters on them. */
    public static Pipeline open(ModelFiles files, Backend backend) {
        return open(files, backend, MemoryPolicy.DEFAULT);
    }

    /** The same with a wish for what is kept in memory. */
    public static Pipeline open(ModelFiles files, Backend backend, MemoryPolicy policy) {
        return new Pipeline(ModelInfo.of(files), backend, null, policy, TaesdUse.NONE);
    }

    public MemoryPolicy policy() {
        return policy;
    }

    /** The same model under another policy. */
    public Pipeline withPolicy(MemoryPolicy other) {
        return new Pipeline(model, stages.backend(), second(), other, taesd);
    }

    /**
     * The same model with a second device: with guidance it makes the predictions without the prompt, at the same time
     * as the first device makes those with it. The pictures are those of one device, if both are of one kind. All else
     * takes place on the first; each holds the denoiser's weights.
     *
     * @param other not closed with the pipeline; null for none
     */
    public Pipeline withSecond(Backend other) {
        return new Pipeline(model, stages.backend(), other, policy, taesd);
    }

    /** The second device; null where there is none. */
    public Backend second() {
        return stages.second() == null ? null : stages.second().backend();
    }

    /** Another model on the same device, under the same policy and with the same TAESD. */
    public Pipeline beside(ModelFiles other) {
        return new Pipeline(ModelInfo.of(other), stages.backend(), second(), policy, taesd);
    }

    /**
     * The same model with a TAESD that decodes in its VAE's place; init images are still encoded by the VAE.
     *
     * @throws jdiffusion.tensor.InputException when it is made for other latents
     */
    public Pipeline withTaesd(TaesdFile file) {
        return withTaesd(file, false, true);
    }

    /**
     * The same model with a TAESD in its VAE's place. What a ControlNet reads is always the VAE's.
     *
     * @param encodes whether it encodes init images
     * @param decodes whether it decodes pictures
     * @throws jdiffusion.tensor.InputException when it is made for other latents, or has no encoder and needs one
     */
    public Pipeline withTaesd(TaesdFile file, boolean encodes, boolean decodes) {
        file.checkFit(latents().channels(), latents().factor());
        if (encodes) {
            file.checkEncodes();
        }
        return new Pipeline(model, stages.backend(), second(), policy, new TaesdUse(encodes ? file : null,
                decodes ? file : null));
    }

    /** The device in words. */
    public String device() {
        return stages.backend().describe();
    }

    public Family family() {
        return model.family();
    }

    /** Which of its family's published models this is. */
    public Variant variant() {
        return model.variant();
    }

    public DenoiserConfig denoiserConfig() {
        return model.denoiser();
    }

    public LatentSpace latents() {
        return model.latents();
    }

    public ModelFiles files() {
        return model.files();
    }

    /** Which sizes of pictures can be asked for in a request that is like this one but for its size. */
    public ImageSize sizes(GenerationRequest like) {
        return checker().sizes(like);
    }

    /** Sides of pictures that are drawn as asked for, and of a second pass, are multiples of this. */
    public int patch() {
        return model.patch();
    }

    /** What is drawn for a request, in the first pass: itself, or one with a size of its family's table. */
    public GenerationRequest drawn(GenerationRequest request) {
        return SizeFit.of(model, request).drawn(request);
    }

    /** The text encoders alone. */
    public Conditioner conditioner() {
        return conditioner;
    }

    /** A request with the checkpoint's defaults, and the family's where it has none. */
    public GenerationRequest request(String prompt) {
        return model.defaults().toBuilder().prompt(prompt).build();
    }

    /** The noise levels at which a request asks the denoiser. */
    public Sigmas sigmas(GenerationRequest request) {
        return model.sigmas(request);
    }

    /** The first of them that a request asks for: not 0 when it starts from a picture. */
    public int firstEvaluation(GenerationRequest request) {
        return model.walk(request).first();
    }

    /** How often a request asks the denoiser for each of its pictures, in all passes. */
    public int evaluations(GenerationRequest request) {
        return model.walk(request).evaluations()
                + (request.hires() == null ? 0 : model.walk(SecondPass.request(request)).evaluations());
    }

    /** Whether diffusers keeps latents variance-preserving with this model's scheduler. */
    public boolean preserving() {
        return model.scheduler().preserving();
    }

    /** Fails, before anything is computed, when this model cannot do what is asked. */
    public void check(GenerationRequest request) {
        checker().check(request, true);
    }

    /** The same of the size alone, which is needed before the request's own pictures are brought to it. */
    public void checkSize(GenerationRequest request) {
        checker().checkSize(request);
    }

    /** What a request asks for that this model was not made for, each in a line; none of it is a fault. */
    public List<String> notes(GenerationRequest request) {
        return checker().notes(request);
    }

    RequestCheck checker() {
        return new RequestCheck(model, conditioner);
    }

    /** The request at a size that can be drawn, where the family rounds sizes and no picture has the size asked for. */
    public GenerationRequest fitted(GenerationRequest request) {
        return request.init() != null || request.control() != null ? request : sizes(request).rounded(request);
    }

    /** Draws the request's pictures, where the family rounds sizes at the next smaller one. */
    public List<Picture> generate(GenerationRequest asked, Progress progress) {
        GenerationRequest request = fitted(asked);
        if (request.width() != asked.width() || request.height() != asked.height()) {
            progress.note(sizes(asked).note(asked.width(), asked.height()));
        }
        check(request);
        hold(request);
        return decode(request, denoise(request, encode(request, progress), progress), progress);
    }

    /**
     * Draws the request's pictures while experiments look at tensors of the run or change them. Without any of them, or
     * with such as change nothing, the pictures are those of {@link #generate(GenerationRequest, Progress)}.
     *
     * @param experiments in the order in which they act at a site
     * @throws InputException before anything is computed, when one asks for what the run does not have
     */
    public Run generate(GenerationRequest request, List<? extends Experiment> experiments, Progress progress) {
        return experiments().run(fitted(request), experiments, progress);
    }

    /** What experiments can look at in this model's runs. */
    public Experiments experiments() {
        return new Experiments(this);
    }

    /** Does something that somebody looks at. */
    <T> T watched(Watch who, Supplier<T> work) {
        return stages.watched(who, work);
    }

    /** Brings all weights of a request to the device, if nothing is offloaded. */
    public void hold(GenerationRequest request) {
        hold(request, true, true);
    }

    /**
     * The same of a part of the way.
     *
     * @param encodes whether this pipeline encodes the request's pictures
     * @param decodes whether it decodes what is drawn
     */
    void hold(GenerationRequest request, boolean encodes, boolean decodes) {
        conditioner.hold(request);
        holdPictures(request, encodes, decodes);
    }

    void holdPictures(GenerationRequest request, boolean encodes, boolean decodes) {
        stages.hold(Component.DENOISER, family()::loadDenoiser);
        if (stages.second() != null && request.guided()) {
            stages.second().hold(Component.DENOISER, family()::loadDenoiser);
        }
        if (taesd.needsVae(request, encodes, decodes)) {
            stages.hold(Component.VAE, Vae::load);
        }
    }

    /** The memory that each stage of {@link #generate} takes, found by going through it without computing anything. */
    public MemoryPlan plan(GenerationRequest request) {
        return plan(request, true);
    }

    /**
     * The same.
     *
     * @param text whether the text encoders are part of it
     */
    public MemoryPlan plan(GenerationRequest request, boolean text) {
        return Planning.of(this, request, text);
    }

    /**
     * The conditionings of the negative prompt, if there is guidance, and of the prompt; with a second pass, the same
     * of that one behind them.
     */
    public List<Conditioning> encode(GenerationRequest request, Progress progress) {
        TextStage stage = new TextStage(model, conditioner);
        return request.hires() == null ? stage.run(drawn(request), progress)
                : SecondPass.encode(stage, drawn(request.firstPass()), request, progress);
    }

    /**
     * The same of several requests without a second pass: of each what it gets alone. Each text encoder is loaded once
     * and each text read once, in the memory that a guided request takes; only texts with weights are read with their
     * request.
     */
    public List<List<Conditioning>> encode(List<GenerationRequest> requests, Progress progress) {
        if (requests.stream().anyMatch(request -> request.hires() != null)) {
            throw new IllegalArgumentException("requests with a second pass are encoded alone");
        }
        return requests.isEmpty() ? List.of() : new TextStage(model, conditioner).run(requests.stream()
                .map(this::drawn).toList(), progress);
    }

    /**
     * Clean latents [images, channels, height / factor, width / factor] of what is drawn, as the denoiser sees them;
     * with a second pass, those of that one.
     */
    public float[] denoise(GenerationRequest request, List<Conditioning> prompts, Progress progress) {
        return request.hires() == null ? denoiseStage().run(drawn(request), prompts, progress)
                : new SecondPass(model, stages, taesd).run(request, prompts, progress);
    }

    /**
     * What a request must have in common with others to be denoised together with them; null when it is denoised
     * alone. With weights in prompts the shapes of conditionings must be alike as well: see {@link BatchKey#with}.
     */
    public BatchKey batchKey(GenerationRequest request) {
        return BatchKey.of(request);
    }

    /**
     * Clean latents of several requests, denoised together: of each, to the byte, those that it gets alone. The memory
     * is that of one request with as many pictures in one draw, see {@link #plan}. All fail when one does, with
     * numbers that are not finite, say; each may be tried alone then.
     *
     * @param requests with equal {@link #batchKey}s
     * @param prompts  what {@link #encode} gave for each of them
     * @param progress of all as one draw
     */
    public List<float[]> denoise(List<GenerationRequest> requests, List<List<Conditioning>> prompts,
                                 Progress progress) {
        return denoiseStage().together(requests.stream().map(this::drawn).toList(), prompts, progress);
    }

    DenoiseStage denoiseStage() {
        return new DenoiseStage(model, stages, taesd);
    }

    TaesdUse taesd() {
        return taesd;
    }

    Backend backend() {
        return stages.backend();
    }

    ModelInfo info() {
        return model;
    }

    /** In the place of this pipeline's device. */
    CountingBackend counter() {
        return CountingBackend.of(stages.backend());
    }

    /** The same model where nothing is computed and memory is counted. */
    Pipeline counting(CountingBackend counter) {
        return new Pipeline(model, counter, second() == null ? null : CountingBackend.of(second()), policy, taesd);
    }

    /**
     * The same model with another scheduler, whose sampler and levels its requests get.
     *
     * @param scheduler of the same kind of model
     */
    public Pipeline withScheduler(NoiseScheduler scheduler) {
        return new Pipeline(model.with(scheduler), stages.backend(), second(), policy, taesd);
    }

    /** The pictures of latents that {@link #denoise} gave, pasted where the request says so. */
    public List<Picture> decode(GenerationRequest request, float[] latents, Progress progress) {
        return decodeStage().run(request, latents, progress);
    }

    /** What was drawn, as numbers: [images, 3, height, width], about -1 to 1. */
    public float[] decodeValues(GenerationRequest request, float[] latents, Progress progress) {
        return decodeStage().values(request, latents, progress);
    }

    private DecodeStage decodeStage() {
        return new DecodeStage(model, stages, taesd);
    }

    /** Lets go of components that stayed on the device. */
    @Override
    public void close() {
        stages.close();
    }
}
