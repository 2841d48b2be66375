package jdiffusion.kernels.cuda;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import jdiffusion.kernels.cuda.LineTable.Place;

/** Where in the sources the kernels of a device come from, by the lines of their PTX. */
public final class KernelPlaces {
    private final KernelSource source;
    private final Map<String, String> files = new HashMap<>();
    private final Map<String, Optional<LineTable>> tables = new HashMap<>();

    KernelPlaces(KernelSource source) {
        this.source = source;
    }

    /** Says which file a kernel is of, as {@link KernelSource#ptx} takes it. */
    void add(String kernel, String file) {
        files.put(kernel, file);
    }

    /**
     * The place that a line of PTX is of, then the one where that was inlined, and so on; empty where it is not known.
     *
     * @param kernel  a name that the device has loaded
     * @param ptxLine from 1
     */
    public List<Place> at(String kernel, int ptxLine) {
        String file = files.get(kernel);
        return file == null ? List.of() : tables.computeIfAbsent(file, source::lines)
                .map(table -> table.at(ptxLine)).orElse(List.of());
    }

    /** The text of a source that a place names. */
    public String text(String file) {
        return source.text(file);
    }

    /** The places in words, to follow a message about a line of PTX; empty where they are not known. */
    public String words(String kernel, int ptxLine) {
        List<Place> places = at(kernel, ptxLine);
        return places.isEmpty() ? "" : "; the line is of " + places.stream().map(Place::toString)
                .collect(Collectors.joining(", inlined at "));
    }
}
