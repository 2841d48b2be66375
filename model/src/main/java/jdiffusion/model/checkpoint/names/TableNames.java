package jdiffusion.model.checkpoint.names;

import java.util.Collection;
import java.util.List;

/** A layout whose names are those of a table, whatever the component's depth. */
public record TableNames(String label, NameTable table) implements Naming {
    @Override
    public List<Mapped> fromOriginal(Collection<String> originals) {
        return table.fromOriginal(originals, 0);
    }

    @Override
    public List<Mapped> toOriginal(Collection<String> names) {
        return table.toOriginal(names, 0);
    }
}
