package jdiffusion.model.checkpoint.names;

import java.util.Collection;
import java.util.List;

/**
 * T5 as transformers names it. The token table is one tensor with up to three names, of which a file may have any;
 * and an encoder saved alone lacks what the whole model puts before its names.
 *
 * @param prefix that the names lack
 */
public record T5Names(String prefix) implements Naming {
    /** The names of the token table in a whole model. */
    public static final List<String> TABLES =
            List.of("shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight");

    @Override
    public String label() {
        return "diffusers' names" + (prefix.isEmpty() ? "" : " without " + prefix);
    }

    @Override
    public List<Mapped> fromOriginal(Collection<String> originals) {
        List<String> tables = TABLES.stream().filter(table -> originals.stream().anyMatch(o -> whole(o).equals(table)))
                .toList();
        return originals.stream().map(original -> Mapped.plain(original, !tables.isEmpty()
                && whole(original).equals(tables.getFirst()) ? TABLES.getFirst() : whole(original))).toList();
    }

    private String whole(String original) {
        return TABLES.contains(original) ? original : prefix + original;
    }

    @Override
    public List<Mapped> toOriginal(Collection<String> names) {
        return names.stream().map(name -> Mapped.plain(name.startsWith(prefix) ? name.substring(prefix.length()) : name,
                name)).toList();
    }
}
