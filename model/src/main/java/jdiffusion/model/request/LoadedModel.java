package jdiffusion.model.request;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.locks.ReentrantLock;
import jdiffusion.kernels.Backend;
import jdiffusion.model.adapter.LoraTags;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.settings.Infotext;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.tensor.InputException;

/**
 * A model that stays in memory between requests, for programs that draw now and then. Any thread may ask; one request
 * is drawn at a time, in the order in which they came. Who interrupts the thread that waits or draws ends its request.
 */
public final class LoadedModel implements AutoCloseable {
    private final ReentrantLock lock = new ReentrantLock(true);
    private final String name;
    private final Pipeline opened;
    private final Backend backend;
    private Pipeline kept;
    private boolean closed;

    /**
     * A picture that was drawn.
     *
     * @param seed 64 bits without a sign
     * @param png  its file
     * @param text the settings in it, as AUTOMATIC1111's web UI writes them
     */
    public record Drawn(long seed, Picture picture, byte[] png, String text) {
    }

    private LoadedModel(String name, Pipeline opened, Backend backend) {
        this.name = name;
        this.opened = opened;
        this.backend = backend;
    }

    /**
     * Opens a model; its weights are read for the first request.
     *
     * @param backend the device; whoever opened it closes it, after the model
     * @throws InputException when it is no model that can be drawn with
     */
    public static LoadedModel open(Path model, Backend backend) {
        return open(Families.open(model, ModelSources.NONE), model, backend);
    }

    /** The same with files of any layout, or with adapters on them. */
    public static LoadedModel open(ModelFiles files, Path model, Backend backend) {
        Path name = model.toAbsolutePath().normalize().getFileName();
        return new LoadedModel(name == null ? "model" : name.toString(), Pipeline.open(files, backend), backend);
    }

    /** The name of its file or folder. */
    public String name() {
        return name;
    }

    /** A request with the model's defaults. */
    public GenerationRequest request(String prompt) {
        return opened.request(prompt);
    }

    /**
     * Draws the pictures that are asked for. {@link PictureFields#notes} is told of what had to change.
     *
     * @param asked with a prompt; without a seed it gets a random one
     * @throws InputException        when the model cannot draw it
     * @throws CancellationException when the thread is interrupted
     * @throws IllegalStateException when the model is closed
     */
    public List<Drawn> draw(PictureFields asked) {
        if (asked.prompt == null) {
            throw new FieldException("prompt", "missing", "the prompt is missing");
        }
        if (asked.model != null && !asked.model.equals(name)) {
            throw new FieldException("model", "model_not_found", "the model is " + name + ", not '"
                    + InputException.shown(asked.model) + "'; leave its name out, or open that one");
        }
        if (asked.controlNet != null) {
            throw new FieldException("controlNet", "not_supported", "a model that stays loaded has no ControlNet; open"
                    + " a pipeline of the model's files with it");
        }
        LoraTags.loras(asked.prompt, asked.negativePrompt, null);
        try {
            lock.lockInterruptibly();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancellationException("interrupted");
        }
        try {
            if (closed) {
                throw new IllegalStateException("the model " + name + " is closed");
            }
            GenerationRequest usual = opened.request(asked.prompt);
            int patch = opened.sizes(usual.toBuilder().resolutionBinning(false).build()).multiple();
            GenerationRequest plain = RequestMaker.settings(asked, usual, opened.sizes(usual), asked.notes::add);
            GenerationRequest request = RequestMaker.pictures(asked,
                    RequestMaker.secondPass(asked, plain, patch, asked.notes::add));
            opened.check(request);
            return draw(asked, request);
        } finally {
            lock.unlock();
        }
    }

    private List<Drawn> draw(PictureFields asked, GenerationRequest request) {
        Pipeline pipeline = stand(asked, request);
        Watch watch = new Watch(asked);
        List<Drawn> drawn = new ArrayList<>();
        List<Conditioning> prompts = pipeline.encode(request, watch);
        for (int i = 0; i < request.images(); i++) {
            GenerationRequest one = request.toBuilder().images(1).seed(request.seed() + i).build();
            float[] latents = pipeline.denoise(one, prompts, watch);
            Picture picture = pipeline.decode(one, latents, watch).getFirst();
            Map<String, String> more = new LinkedHashMap<>();
            MemoryWish.NONE.describe(watch.decoded == null ? 0 : watch.decoded.tile(), more);
            InputPictures inputs = new InputPictures(asked.init, asked.mask, asked.inpaint.settings());
            LoraRecord loras = LoraRecord.of(asked.prompt, List.of(), List.of(), List.of());
            String text = new PictureText(pipeline.files(), name, backend.precision(), inputs, loras,
                    ControlInput.none(pipeline.files()), TaesdInput.NONE, more, "jdiffusion").of(one).text();
            drawn.add(new Drawn(one.seed(), picture, Png.encode(picture, Map.of(Infotext.KEYWORD, text)), text));
        }
        return drawn;
    }

    /** The pipeline with its weights; another choice of what stays is made where the one before does not fit. */
    private Pipeline stand(PictureFields asked, GenerationRequest request) {
        boolean fits = kept != null && (kept.policy().budget() == Long.MAX_VALUE
                || kept.plan(request).peak() <= kept.policy().budget());
        if (!fits) {
            letGo();
            kept = MemoryWish.NONE.keep(opened, request, backend, asked.notes::add);
        }
        kept.hold(request);
        return kept;
    }

    private void letGo() {
        Pipeline before = kept;
        kept = null;
        if (before != null) {
            before.close();
        }
    }

    /** Waits for the request that is drawn, and lets go of the weights. Requests that come later fail. */
    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            letGo();
            opened.close();
        } finally {
            lock.unlock();
        }
    }

    /** Follows a request for its text, its notes, and an interruption. */
    private static final class Watch implements Progress {
        private final PictureFields asked;
        private StageMemory decoded;

        Watch(PictureFields asked) {
            this.asked = asked;
        }

        @Override
        public void used(Stage stage, StageMemory memory) {
            decoded = stage == Stage.DECODE ? memory : decoded;
        }

        @Override
        public void note(String line) {
            asked.notes.add(line);
        }

        @Override
        public boolean cancelled() {
            return Thread.currentThread().isInterrupted();
        }
    }
}
