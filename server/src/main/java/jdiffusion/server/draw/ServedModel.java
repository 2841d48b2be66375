package jdiffusion.server.draw;

import java.nio.file.Path;
import java.util.List;
import jdiffusion.kernels.counting.CountingBackend;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.family.Family;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.ImageSize;
import jdiffusion.model.family.Variant;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.request.ControlInput;
import jdiffusion.model.stage.MemoryPlan;
import jdiffusion.model.tokenizer.Tokenizer;

/**
 * A model that can be asked for, whether its weights are loaded or not. It answers what can be known without computing,
 * to any thread.
 */
public final class ServedModel {
    private final String id;
    private final Path path;
    private final ModelFiles files;
    private final Pipeline counted;
    private Tokenizer tokenizer;

    /**
     * @param counter in the place of the device
     * @throws jdiffusion.tensor.InputException when it is no model that can be drawn with
     */
    ServedModel(String id, Path path, ModelFiles files, CountingBackend counter) {
        this.id = id;
        this.path = path;
        this.files = files;
        this.counted = Pipeline.open(files, counter);
    }

    /** What clients call it. */
    public String id() {
        return id;
    }

    /** Where it is; not for clients. */
    public Path path() {
        return path;
    }

    public ModelFiles files() {
        return files;
    }

    public Variant variant() {
        return counted.variant();
    }

    public Family family() {
        return counted.family();
    }

    /** A request with its defaults. */
    public GenerationRequest request(String prompt) {
        return counted.request(prompt);
    }

    /** The same with those of a ControlNet, if there is one. */
    synchronized GenerationRequest request(String prompt, ControlInput control) {
        return with(control).request(prompt);
    }

    private Pipeline with(ControlInput control) {
        return control.picture() == null ? counted : counted.beside(control.files());
    }

    /** Which sizes it can be asked for. */
    public synchronized ImageSize sizes() {
        return counted.sizes(counted.request(""));
    }

    /** Pixels of the picture for one token of the denoiser, on each side. */
    public synchronized int patch() {
        return counted.sizes(counted.request("").toBuilder().resolutionBinning(false).build()).multiple();
    }

    /** Pixels of the picture for one of the latents, on each side. */
    public int factor() {
        return counted.latents().factor();
    }

    /** Blocks that skip-layer guidance can leave out; 0 where it cannot be had. */
    public int layers() {
        return counted.denoiserConfig().layers();
    }

    /** How often the denoiser is asked for each picture, in all passes. */
    public synchronized int evaluations(GenerationRequest request) {
        return counted.evaluations(request);
    }

    /** Tokens of a text for the first of its text encoders. */
    public synchronized int tokens(String text) {
        if (tokenizer == null) {
            tokenizer = Component.ENCODERS.stream().filter(files::has).findFirst().map(files::tokenizer).orElseThrow();
        }
        return tokenizer.encode(text).length;
    }

    /** Fails when it cannot draw this. */
    public synchronized void check(GenerationRequest request, ControlInput control) {
        with(control).check(request);
    }

    public synchronized List<String> notes(GenerationRequest request) {
        return counted.notes(request);
    }

    /** The memory of each stage of a prepared request that runs by itself. */
    public synchronized MemoryPlan plan(GenerationRequest request, ControlInput control) {
        return with(control).plan(request);
    }
}
