package jdiffusion.model.adapter;

import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.WrappedFiles;
import jdiffusion.model.embedding.Embeddings;

/** A model with textual inversions that prompts may name. */
public final class EmbeddedFiles extends WrappedFiles {
    private final Embeddings embeddings;

    private EmbeddedFiles(ModelFiles model, Embeddings embeddings) {
        super(model);
        this.embeddings = embeddings;
    }

    public static ModelFiles of(ModelFiles model, Embeddings embeddings) {
        return new EmbeddedFiles(model, embeddings);
    }

    @Override
    public Embeddings embeddings() {
        return embeddings;
    }
}
