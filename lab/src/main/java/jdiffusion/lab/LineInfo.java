package jdiffusion.lab;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The places that a compiler writes into PTX with {@code -lineinfo}: {@code .file} and {@code .loc}. */
final class LineInfo implements PtxPlaces {
    private static final Pattern FILE = Pattern.compile("\\s*\\.file\\s+(\\d+)\\s+\"([^\"]*)\".*");
    private static final Pattern LOC = Pattern.compile("\\s*\\.loc\\s+(\\d+)\\s+(\\d+)\\s+\\d+(?:.*inlined_at\\s+"
            + "(\\d+)\\s+(\\d+).*)?");
    /** Headers of a toolkit or of the system. */
    private static final Pattern FOREIGN = Pattern.compile("/(cuda|nvidia|nvrtc|nvcc)[^/]*/(.*/)?include/"
            + "|^/usr/(include|lib)/");

    private final Path program;
    private final TreeMap<Integer, List<Place>> places = new TreeMap<>();
    private final Map<String, List<String>> texts = new HashMap<>();

    /** @param program the file that the PTX is of, itself PTX or a source */
    LineInfo(Path program, String ptx) {
        this.program = program;
        List<String> lines = ptx.lines().toList();
        Map<String, String> files = new HashMap<>();
        lines.stream().map(FILE::matcher).filter(Matcher::matches).forEach(file -> files.put(file.group(1),
                file.group(2)));
        // Where something was inlined has a .loc of its own before.
        Map<List<String>, List<Place>> latest = new HashMap<>();
        for (int i = 0; i < lines.size(); i++) {
            Matcher loc = LOC.matcher(lines.get(i));
            if (loc.matches()) {
                List<Place> outer = loc.group(3) == null ? List.of() : latest.getOrDefault(List.of(loc.group(3),
                        loc.group(4)), List.of(place(files, loc, 3)));
                List<Place> chain = Stream.concat(Stream.of(place(files, loc, 1)), outer.stream()).toList();
                latest.put(List.of(loc.group(1), loc.group(2)), chain);
                places.put(i + 1, chain);
            }
        }
    }

    private static Place place(Map<String, String> files, Matcher loc, int group) {
        return new Place(files.getOrDefault(loc.group(group), ""), Integer.parseInt(loc.group(group + 1)));
    }

    @Override
    public List<Place> at(int ptxLine) {
        Map.Entry<Integer, List<Place>> place = places.floorEntry(ptxLine);
        return place == null ? List.of() : place.getValue();
    }

    /** The places that a line of PTX is of as {@code saxpy.cu:3}, and where that was inlined; empty where not known. */
    String words(int ptxLine) {
        return at(ptxLine).stream().filter(place -> !place.file().isEmpty())
                .map(place -> place.file().replaceAll(".*[/\\\\]", "") + ":" + place.line())
                .collect(Collectors.joining(", inlined at "));
    }

    /** All places, by the line of PTX from which they hold. */
    Collection<Map.Entry<Integer, List<Place>>> all() {
        return places.entrySet();
    }

    /** Whether a file is the program itself, or where that is PTX what it was compiled from. */
    boolean isOwn(String file) {
        String own = program.getFileName().toString();
        return file.endsWith(own) || own.endsWith(".ptx") && file.endsWith(".cu");
    }

    @Override
    public List<String> text(String file) {
        return texts.computeIfAbsent(file, _ -> FOREIGN.matcher(file.replace('\\', '/')).find() ? List.of()
                : read(isOwn(file) && program.toString().endsWith(".cu") ? program : path(file)));
    }

    private static Path path(String name) {
        try {
            return Path.of(name);
        } catch (InvalidPathException e) {
            return Path.of("");
        }
    }

    private static List<String> read(Path file) {
        try {
            return Files.isRegularFile(file) ? Files.readAllLines(file) : List.of();
        } catch (IOException e) {
            // The source is a help to the reader; what is told is about the PTX.
            return List.of();
        }
    }
}
