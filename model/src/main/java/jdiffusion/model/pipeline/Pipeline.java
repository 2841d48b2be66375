package jdiffusion.model.pipeline;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.Family;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.checkpoint.Models;
import jdiffusion.model.image.Picture;
import jdiffusion.model.mmdit.ControlNetConfig;
import jdiffusion.model.mmdit.Denoiser;
import jdiffusion.model.mmdit.MmditConfig;
import jdiffusion.model.sampling.SchedulerConfig;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.Sigmas;
import jdiffusion.model.sampling.SkipLayers;
import jdiffusion.model.stage.MemoryPlan;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.text.PromptEmbedding;
import jdiffusion.model.text.PromptEncoder;
import jdiffusion.model.tokenizer.Tokens;
import jdiffusion.model.vae.Vae;
import jdiffusion.model.vae.VaeConfig;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Weights;

/**
 * Stable Diffusion 3: text to image, image to image and inpainting, as stages that can also be run one by one:
 * {@link #encode}, {@link #denoise}, {@link #decode}. Unless the policy says otherwise, each component lets go of its
 * weights and of all its memory before the next begins; between stages only small arrays live on. Only a pipeline that
 * offloads nothing holds anything that closing it gives back.
 */
public final class Pipeline implements AutoCloseable {
    private static final int DEFAULT_T5_LENGTH = 256;
    private static final long DEFAULT_SEED = 42;
    /** Numbers of one run's pictures: they are handed over in one array. */
    private static final int MOST_VALUES = Integer.MAX_VALUE - 8;
    /** Characters of a text in a message. */
    private static final int SHOWN = 60;

    private final Stages stages;
    private final ModelFiles files;
    private final MemoryPolicy policy;
    private final MmditConfig denoiser;
    private final ControlNetConfig control;
    private final Family family;
    private final VaeConfig vae;
    private final SchedulerConfig scheduler;
    private final GenerationRequest defaults;

    private Pipeline(ModelFiles files, Backend backend, MemoryPolicy policy) {
        this.files = files;
        this.policy = policy;
        this.stages = new Stages(files, backend, policy);
        this.scheduler = files.scheduler();
        int sampleSize;
        // All of their tensors are looked at here, though not read: one that does not fit should not come to light
        // only when the stages before it have computed for minutes.
        try (ModelFiles.Open open = files.inspect(Component.DENOISER)) {
            Denoiser loaded = Denoiser.load(Weights.of(open.tensors(), Placement.onHost()), open.config());
            denoiser = loaded.mmdit().config();
            control = loaded.controlConfig();
            sampleSize = open.config().positiveInteger("sample_size", denoiser.positions());
        }
        try (ModelFiles.Open open = files.inspect(Component.VAE)) {
            vae = Vae.load(Weights.of(open.tensors(), Placement.onHost()), open.config()).config();
        }
        if (vae.latentChannels() != denoiser.inChannels() || denoiser.inChannels() != denoiser.outChannels()) {
            throw new InputException(files.origin() + ": the VAE has " + vae.latentChannels()
                    + " latent channels, the denoiser reads " + denoiser.inChannels() + " and predicts "
                    + denoiser.outChannels() + "; do these components belong together?");
        }
        family = files.family(denoiser);
        defaults = defaults(files.generationConfig(), sampleSize * vae.factor());
    }

    /** The same model on another backend. */
    private Pipeline(Pipeline other, Backend backend, MemoryPolicy policy) {
        files = other.files;
        this.policy = policy;
        stages = new Stages(files, backend, policy);
        denoiser = other.denoiser;
        control = other.control;
        family = other.family;
        vae = other.vae;
        scheduler = other.scheduler;
        defaults = other.defaults;
    }

    /** Opens a model of any layout: see {@link Models#open}. Configurations are read, weights are not yet. */
    public static Pipeline open(Path model, Backend backend) {
        return open(Models.open(model, ModelSources.NONE), backend);
    }

    /** The same with files of any layout, or with adapters on them. */
    public static Pipeline open(ModelFiles files, Backend backend) {
        return open(files, backend, MemoryPolicy.DEFAULT);
    }

    /** The same with a wish for what is kept in memory. */
    public static Pipeline open(ModelFiles files, Backend backend, MemoryPolicy policy) {
        return new Pipeline(files, backend, policy);
    }

    public MemoryPolicy policy() {
        return policy;
    }

    /** The same model under another policy. */
    public Pipeline withPolicy(MemoryPolicy other) {
        return new Pipeline(this, stages.backend(), other);
    }

    public Family family() {
        return family;
    }

    public MmditConfig denoiserConfig() {
        return denoiser;
    }

    /** Sizes of the model's ControlNet; null when it has none. */
    public ControlNetConfig controlConfig() {
        return control;
    }

    public VaeConfig vaeConfig() {
        return vae;
    }

    public ModelFiles files() {
        return files;
    }

    /** A request with the checkpoint's defaults, and the family's where it has none. */
    public GenerationRequest request(String prompt) {
        return defaults.toBuilder().prompt(prompt).build();
    }

    private float guidance(ConfigFile wishes) {
        float usual = control == null ? family.guidance() : control.guidance(family.guidance());
        float value = (float) wishes.number("guidance_scale", usual);
        if (value < 0) {
            throw new InputException(wishes.origin() + ": guidance_scale is " + value
                    + "; use 0 or more (1 for no guidance)");
        }
        return value;
    }

    private GenerationRequest defaults(ConfigFile wishes, int size) {
        int steps = control == null ? family.steps() : control.steps(family.steps());
        return new GenerationRequest("", "", wishes.positiveInteger("width", size),
                wishes.positiveInteger("height", size),
                wishes.positiveInteger("num_inference_steps", steps), guidance(wishes),
                DEFAULT_SEED, 1, GenerationRequest.Seeds.CONSECUTIVE,
                scheduler.sampler(),
                scheduler.schedule(), Float.NaN, wishes.positiveInteger("max_sequence_length", DEFAULT_T5_LENGTH,
                        PromptEncoder.T5_LONGEST),
                files.has(Component.T5) || files.missing(Component.T5) != null, SkipLayers.OFF, null, 0.6, null, null);
    }

    /** Draws the request's pictures. */
    public List<Picture> generate(GenerationRequest request, Progress progress) {
        check(request);
        hold(request);
        return decode(request, denoise(request, encode(request, progress), progress), progress);
    }

    /** Brings all weights of a request to the device, if nothing is offloaded. */
    public void hold(GenerationRequest request) {
        promptEncoder().hold(request.t5());
        holdPictures();
    }

    private void holdPictures() {
        stages.hold(Component.DENOISER, Denoiser::load);
        stages.hold(Component.VAE, Vae::load);
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
        List<StageMemory> runs = new ArrayList<>();
        Progress count = new Progress() {
            @Override
            public void used(Progress.Stage stage, StageMemory memory) {
                runs.add(memory);
            }
        };
        try (Pipeline twin = new Pipeline(this, stages.backend().counting(), policy)) {
            if (text) {
                twin.generate(request, count);
            } else {
                checkPicture(request);
                twin.holdPictures();
                PromptEmbedding none = PromptEmbedding.zeros(PromptEncoder.CLIP_LENGTH + request.t5Length(),
                        denoiser.contextDim(), denoiser.pooledDim());
                List<PromptEmbedding> prompts = request.guided() ? List.of(none, none) : List.of(none);
                twin.decodeValues(request, twin.denoise(request, prompts, count), count);
            }
        }
        return new MemoryPlan(runs);
    }

    /** Fails, before anything is computed, when this model cannot do what is asked. */
    public void check(GenerationRequest request) {
        checkPicture(request);
        checkEncoders(request.t5());
    }

    private void checkPicture(GenerationRequest request) {
        new ImageSize(vae.factor() * denoiser.patch(), denoiser.positions() * denoiser.patch() * vae.factor())
                .check(request.width(), request.height());
        long values = 3L * request.width() * request.height();
        if (request.images() > MOST_VALUES / values) {
            throw new InputException(request.images() + " pictures of " + request.width() + "x" + request.height()
                    + " are more than one run can hold; at most " + MOST_VALUES / values + " of this size");
        }
        for (int layer : request.skipLayers().layers()) {
            if (layer < 0 || layer >= denoiser.depth()) {
                throw new InputException("layer " + layer + " cannot be skipped; this model has layers 0 to "
                        + (denoiser.depth() - 1));
            }
        }
        if (request.control() != null && control == null) {
            throw new InputException("a ControlNet's picture is given, but no ControlNet; give one with --control-net");
        }
        PromptEncoder.checkT5Length(request.t5Length());
        Sigmas sigmas = sigmas(request);
        if (request.init() != null) {
            sigmas.start(request.strength());
        }
    }

    private void checkEncoders(boolean t5) {
        for (Component encoder : Component.ENCODERS) {
            if ((encoder != Component.T5 || t5) && files.missing(encoder) != null) {
                throw new InputException(files.missing(encoder));
            }
        }
        if (!stages.counting()) {
            promptEncoder().checkTokenizers(t5);
        }
        if (t5 && !files.has(Component.T5)) {
            throw new InputException(files.origin() + ": this model has no T5; leave it out with --no-t5");
        }
        if (!t5 && !files.has(Component.CLIP_L) && !files.has(Component.CLIP_G)) {
            throw new InputException(files.origin() + ": without CLIP-L, CLIP-G and T5 nothing reads the prompt; keep"
                    + " one of them");
        }
        if (t5) {
            promptEncoder().checkT5(denoiser.contextDim());
        }
    }

    /** The noise levels at which a request asks the denoiser. */
    public Sigmas sigmas(GenerationRequest request) {
        int patch = vae.factor() * denoiser.patch();
        SchedulerConfig config = Float.isNaN(request.shift()) ? scheduler : scheduler.withShift(request.shift());
        int tokens = (request.width() / patch) * (request.height() / patch);
        return request.sampler().evaluations(Sigmas.of(request.schedule(), request.steps(), config, tokens));
    }

    /** The embeddings of the negative prompt, if there is guidance, and of the prompt. */
    public List<PromptEmbedding> encode(GenerationRequest request, Progress progress) {
        StageClock clock = new StageClock(Progress.Stage.ENCODE_TEXT, 0, progress);
        List<String> prompts = request.guided() ? List.of(request.negativePrompt(), request.prompt())
                : List.of(request.prompt());
        var listener = new PromptEncoder.Listener() {
            @Override
            public void tokenized(Component encoder, String prompt, Tokens tokens) {
                if (tokens.cut() > 0) {
                    progress.note("the prompt is too long for " + encoder.folder() + ": " + tokens.used()
                            + " tokens of which " + tokens.cut() + " were cut, from \"" + beginning(tokens.cutText())
                            + "\" on");
                }
            }

            @Override
            public void encoded(StageMemory memory) {
                clock.used(memory);
            }
        };
        List<PromptEmbedding> embeddings = promptEncoder().encode(prompts, request.t5Length(), request.t5(),
                denoiser.contextDim(), denoiser.pooledDim(), listener);
        int pooled = embeddings.getFirst().pooled().length;
        if (pooled != denoiser.pooledDim()) {
            throw new InputException(files.origin() + ": the CLIP encoders' pooled outputs are " + pooled
                    + " wide, the denoiser's input " + denoiser.pooledDim() + "; do these components belong together?");
        }
        clock.stop();
        return embeddings;
    }

    /** The text encoders alone. */
    public PromptEncoder promptEncoder() {
        return new PromptEncoder(stages);
    }

    /** Enough of a text to find it by, on one line. */
    private static String beginning(String text) {
        String line = text.replaceAll("[\\p{Cntrl}\\s]+", " ");
        return line.codePointCount(0, line.length()) <= SHOWN ? line
                : line.substring(0, line.offsetByCodePoints(0, SHOWN)) + "...";
    }

    /** Clean latents [images, channels, height / 8, width / 8] as the denoiser sees them. */
    public float[] denoise(GenerationRequest request, List<PromptEmbedding> prompts, Progress progress) {
        int height = request.height() / vae.factor();
        int width = request.width() / vae.factor();
        int size = vae.latentChannels() * height * width;
        float[] moments = request.init() == null ? null : encode(request, request.init().toModel(), progress);
        float[] condition = request.control() == null ? null
                : Control.latents(encode(request, request.control().pixels(control), progress), control, vae);
        if (!request.guided() && !(request.skipLayers().layers().isEmpty() && request.negativePrompt().isEmpty())) {
            progress.note("without guidance (a scale of 1 or less) a negative prompt and skipped layers have no"
                    + " effect");
        }
        boolean oneDraw = request.seeds() == GenerationRequest.Seeds.ONE_DRAW;
        int batch = oneDraw ? request.images() : 1;
        int draws = oneDraw ? 1 : request.images();
        StageClock clock = new StageClock(Progress.Stage.DENOISE,
                draws * DenoiseLoop.evaluations(request, sigmas(request)), progress);
        float[] mask = request.latentMask(vae);
        return stages.run(Component.DENOISER, Denoiser::load, (Stage<Denoiser> stage) -> {
            DenoiseLoop loop = new DenoiseLoop(stage.model(), stage.compute(), request, batch, prompts, height, width,
                    sigmas(request), mask, condition);
            float[] all = new float[Math.multiplyExact(request.images(), size)];
            if (stage.counting()) {
                loop.count();
                return all;
            }
            int[] done = {0};
            for (int draw = 0; draw < draws; draw++) {
                Noise noise = Noise.draw(request.seed() + draw, batch, size, moments, vae.scale(), vae.shift());
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

    /** The pictures of latents that {@link #denoise} gave. */
    public List<Picture> decode(GenerationRequest request, float[] latents, Progress progress) {
        float[] values = decodeValues(request, latents, progress);
        List<Picture> pictures = new ArrayList<>();
        for (int i = 0; i < request.images(); i++) {
            pictures.add(Picture.ofModel(values, i, request.width(), request.height()));
        }
        return pictures;
    }

    /** The same as numbers: [images, 3, height, width], about -1 to 1. */
    public float[] decodeValues(GenerationRequest request, float[] latents, Progress progress) {
        StageClock clock = new StageClock(Progress.Stage.DECODE, 0, progress);
        float[] scaled = new float[latents.length];
        // diffusers' inpainting pipeline leaves the shift out when it decodes; the same request gives the same picture.
        float shift = request.mask() == null ? vae.shift() : 0;
        for (int i = 0; i < scaled.length; i++) {
            scaled[i] = latents[i] / vae.scale() + shift;
        }
        float[] values = imageCoder().decode(scaled, request.images(), request.height(), request.width(), clock::used);
        clock.stop();
        return values;
    }

    private ImageCoder imageCoder() {
        return new ImageCoder(stages, vae);
    }

    /** Mean and log-variance of a picture's latents, [2, channels, height / 8, width / 8]. */
    private float[] encode(GenerationRequest request, float[] pixels, Progress progress) {
        StageClock clock = new StageClock(Progress.Stage.ENCODE_IMAGE, 0, progress);
        float[] moments = imageCoder().encode(pixels, request.height(), request.width(), clock::used);
        clock.stop();
        return moments;
    }

    /** Lets go of components that stayed on the device. */
    @Override
    public void close() {
        stages.close();
    }
}
