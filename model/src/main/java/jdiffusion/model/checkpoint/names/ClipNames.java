package jdiffusion.model.checkpoint.names;

import java.util.Collection;
import java.util.List;

/**
 * CLIP's text tower; stable-diffusion.cpp renames its projection when it converts, and a tower that is saved alone
 * lacks what the whole model puts before its names.
 *
 * @param bare whether the names lack {@code text_model.}
 */
public record ClipNames(boolean bare) implements Naming {
    /** The table of tokens, whose width tells one CLIP from the other. */
    public static final String TOKENS = "text_model.embeddings.token_embedding.weight";
    /** What its name starts with where names are bare. */
    public static final String BARE_TOKENS = "embeddings.token_embedding.";
    private static final String TOWER = "text_model.";
    private static final String PROJECTION = "text_projection.weight";
    private static final NameTable TABLE = new NameTable().plain("text_model.text_projection", PROJECTION);

    public ClipNames() {
        this(false);
    }

    @Override
    public String label() {
        return "diffusers' names" + (bare ? " without " + TOWER : "");
    }

    @Override
    public List<Mapped> fromOriginal(Collection<String> originals) {
        return !bare ? TABLE.fromOriginal(originals, 0) : originals.stream().map(original ->
                Mapped.plain(original, original.equals(PROJECTION) ? original : TOWER + original)).toList();
    }

    @Override
    public List<Mapped> toOriginal(Collection<String> names) {
        return !bare ? TABLE.toOriginal(names, 0) : names.stream().map(name ->
                Mapped.plain(name.startsWith(TOWER) ? name.substring(TOWER.length()) : name, name)).toList();
    }
}
