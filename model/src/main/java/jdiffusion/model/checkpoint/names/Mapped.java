package jdiffusion.model.checkpoint.names;

import java.util.Collections;
import java.util.List;

/**
 * How one tensor of a layout is made of those of the diffusers layout.
 *
 * @param original name in the layout, without the prefix of its component
 * @param names    names in the diffusers layout: several where the layout has them one below the other in one tensor
 * @param shares   in what proportion the rows are divided among these names
 * @param form     what else tells the two apart
 */
public record Mapped(String original, List<String> names, List<Integer> shares, Form form) {
    /** What is done to the tensor; going back is the same. */
    public enum Form {
        /** The same elements in the same order. */
        PLAIN,
        /** The upper and the lower half of the rows change places: shift and scale of a two-part adaLN. */
        SWAPPED,
        /** A tensor [1, n, d] of which GGUF files drop the 1. */
        LEADING_ONE,
        /** A matrix [n, k] that the layout stores as a convolution [n, k, 1, 1]. */
        CONVOLUTION,
        /** A matrix with rows and columns exchanged. */
        TRANSPOSED
    }

    public Mapped {
        names = List.copyOf(names);
        shares = List.copyOf(shares);
        if (names.size() != shares.size()) {
            throw new IllegalArgumentException(original + ": " + names + " in shares of " + shares);
        }
    }

    /** Parts of equally many rows. */
    public Mapped(String original, List<String> names, Form form) {
        this(original, names, Collections.nCopies(names.size(), 1), form);
    }

    /** A tensor whose name alone may differ. */
    public static Mapped plain(String original, String name) {
        return new Mapped(original, List.of(name), Form.PLAIN);
    }

    /** Whether the layout has the very tensor under the same name. */
    public boolean same() {
        return form == Form.PLAIN && !joined() && names.getFirst().equals(original);
    }

    /** How many shares the rows are divided into. */
    public int parts() {
        return shares.stream().mapToInt(Integer::intValue).sum();
    }

    /** How many of them come before those of the name of that index. */
    public int before(int index) {
        return shares.subList(0, index).stream().mapToInt(Integer::intValue).sum();
    }

    /** Whether the layout joins several tensors of diffusers in this one, in their order. */
    public boolean joined() {
        return names.size() > 1;
    }
}
