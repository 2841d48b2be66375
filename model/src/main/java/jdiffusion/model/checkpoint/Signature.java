package jdiffusion.model.checkpoint;

import java.util.List;
import java.util.NavigableSet;
import jdiffusion.model.checkpoint.names.Naming;

/**
 * How a network is recognised by the names of a file's tensors.
 *
 * @param prefix  of its names in the file, often empty
 * @param markers what some of its names start with behind the prefix; all of them are needed, and the network whose
 *                signature has more of them is the one that is meant
 * @param naming  how the names behind the prefix are related to those of the diffusers layout
 * @param shared  whether another role's network has the same names, so that sizes or the file's name tell which it is
 */
public record Signature(String prefix, List<String> markers, Naming naming, boolean shared) {
    public Signature {
        markers = List.copyOf(markers);
    }

    public Signature(String prefix, String marker, Naming naming) {
        this(prefix, List.of(marker), naming, false);
    }

    /** The first marker, which names behind other prefixes are searched for. */
    String marker() {
        return markers.getFirst();
    }

    boolean isIn(NavigableSet<String> names) {
        return isIn(names, prefix);
    }

    /** The same behind another prefix. */
    boolean isIn(NavigableSet<String> names, String other) {
        return markers.stream().allMatch(marker -> {
            String next = names.ceiling(other + marker);
            return next != null && next.startsWith(other + marker);
        });
    }
}
