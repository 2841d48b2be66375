package jdiffusion.model.checkpoint;

import java.nio.file.Path;
import java.util.List;
import jdiffusion.model.embedding.Embeddings;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.model.tokenizer.VocabularyFile;
import jdiffusion.model.tokenizer.places.Looked;

/** A checkpoint whose tensors are changed on the way in; all else is the checkpoint's own. */
public abstract class WrappedFiles implements ModelFiles {
    private final ModelFiles model;

    protected WrappedFiles(ModelFiles model) {
        this.model = model;
    }

    /** The checkpoint as it is stored. */
    public final ModelFiles model() {
        return model;
    }

    /** A checkpoint that changes tensors here changes their sizes in {@link #inspect} too. */
    @Override
    public Open open(Component component) {
        return model.open(component);
    }

    @Override
    public Open inspect(Component component) {
        return model.inspect(component);
    }

    @Override
    public String origin() {
        return model.origin();
    }

    @Override
    public boolean has(Component component) {
        return model.has(component);
    }

    @Override
    public String missing(Component component) {
        return model.missing(component);
    }

    @Override
    public String layout() {
        return model.layout();
    }

    @Override
    public String place(Component component) {
        return model.place(component);
    }

    @Override
    public List<String> notes() {
        return model.notes();
    }

    @Override
    public Architecture architecture() {
        return model.architecture();
    }

    @Override
    public String variant() {
        return model.variant();
    }

    @Override
    public Path named() {
        return model.named();
    }

    @Override
    public List<Path> weights(Component component) {
        return model.weights(component);
    }

    @Override
    public Tokenizer tokenizer(Component component) {
        return model.tokenizer(component);
    }

    @Override
    public VocabularyFile vocabulary(Component component) {
        return model.vocabulary(component);
    }

    @Override
    public List<Looked> vocabularies(Component component) {
        return model.vocabularies(component);
    }

    @Override
    public Embeddings embeddings() {
        return model.embeddings();
    }

    @Override
    public NoiseScheduler scheduler() {
        return model.scheduler();
    }

    @Override
    public ConfigFile index() {
        return model.index();
    }

    @Override
    public ConfigFile generationConfig() {
        return model.generationConfig();
    }
}
