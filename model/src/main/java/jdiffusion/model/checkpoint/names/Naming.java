package jdiffusion.model.checkpoint.names;

import java.util.Collection;
import java.util.List;

/** How a layout names one component's tensors, against diffusers' names. */
public interface Naming {
    /** Diffusers' own names. */
    Naming DIFFUSERS = new Naming() {
        @Override
        public String label() {
            return "diffusers' names";
        }

        @Override
        public List<Mapped> fromOriginal(Collection<String> originals) {
            return originals.stream().map(name -> Mapped.plain(name, name)).toList();
        }

        @Override
        public List<Mapped> toOriginal(Collection<String> names) {
            return fromOriginal(names);
        }
    };

    /** What the layout is called in messages. */
    String label();

    /** The relation for each of the layout's names; one that the layout does not know stands for itself. */
    List<Mapped> fromOriginal(Collection<String> originals);

    /**
     * The relation for each of the layout's tensors that diffusers' names make; one that has no other name there
     * stands for itself.
     */
    List<Mapped> toOriginal(Collection<String> names);
}
