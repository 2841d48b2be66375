package jdiffusion.model.checkpoint;

import java.util.List;
import java.util.NavigableSet;
import java.util.TreeSet;

/** Tells by the names of a file's tensors of which architecture it is. */
final class Recognition {
    private Recognition() {
    }

    /** Whose denoiser is in the file; null when there is none that is known. */
    static Architecture byDenoiser(NavigableSet<String> names, List<? extends Architecture> known) {
        Architecture best = null;
        int most = 0;
        for (Architecture architecture : known) {
            for (Signature signature : architecture.network(Component.DENOISER).signatures()) {
                int markers = signature.markers().size();
                if (markers > most && (signature.isIn(names) || isBehindAny(signature, names))) {
                    best = architecture;
                    most = markers;
                }
            }
        }
        return best;
    }

    private static boolean isBehindAny(Signature signature, NavigableSet<String> names) {
        NavigableSet<String> prefixes = new TreeSet<>();
        for (String name : names) {
            String prefix = Contents.otherPrefix(name, signature.marker());
            if (prefix != null) {
                prefixes.add(prefix);
            }
        }
        return prefixes.stream().anyMatch(prefix -> signature.isIn(names, prefix));
    }

    /** The first with any component in the file; null when there is none. */
    static Architecture byAny(NavigableSet<String> names, List<? extends Architecture> known) {
        for (Architecture architecture : known) {
            boolean has = architecture.formats().stream().flatMap(format -> format.network().signatures().stream())
                    .anyMatch(signature -> signature.isIn(names) || isBehindAny(signature, names));
            if (has) {
                return architecture;
            }
        }
        return null;
    }
}
