package jdiffusion.model.checkpoint.names;

import java.util.Collection;
import java.util.List;

/** CLIP's text tower; stable-diffusion.cpp renames its projection when it converts. */
public final class ClipNames implements Naming {
    private static final NameTable TABLE = new NameTable()
            .plain("text_model.text_projection", "text_projection.weight");

    @Override
    public String label() {
        return "diffusers' names";
    }

    @Override
    public List<Mapped> fromOriginal(Collection<String> originals) {
        return TABLE.fromOriginal(originals, 0);
    }

    @Override
    public List<Mapped> toOriginal(Collection<String> names) {
        return TABLE.toOriginal(names, 0);
    }
}
