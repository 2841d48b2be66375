package jdiffusion.lab;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where PTX lines come from, as the compiler's {@code .file} and {@code .loc} say with {@code -lineinfo}. Of what was
 * inlined it is the place that it was inlined at.
 *
 * @param text of the source file; empty where it is not there
 * @param lines of the source, from 1, by lines of PTX
 */
record SourceMap(String file, List<String> text, TreeMap<Integer, Integer> lines) {
    private static final Pattern FILE = Pattern.compile("\\s*\\.file\\s+(\\d+)\\s+\"([^\"]*)\".*");
    private static final Pattern LOC = Pattern.compile("\\s*\\.loc\\s+(\\d+)\\s+(\\d+)\\s+\\d+(.*)");
    private static final Pattern INLINED = Pattern.compile("inlined_at\\s+(\\d+)\\s+(\\d+)");

    /** For PTX whose source is not known. */
    static SourceMap none() {
        return new SourceMap("", List.of(), new TreeMap<>());
    }

    /** Of the program's own file, or of the one with most lines. */
    static SourceMap of(LabProgram program) {
        List<String> ptx = program.ptx().lines().toList();
        Map<Integer, String> names = new HashMap<>();
        Map<Integer, TreeMap<Integer, Integer>> places = new HashMap<>();
        for (int i = 0; i < ptx.size(); i++) {
            Matcher file = FILE.matcher(ptx.get(i));
            if (file.matches()) {
                names.put(Integer.valueOf(file.group(1)), file.group(2));
            }
            Matcher loc = LOC.matcher(ptx.get(i));
            if (loc.matches()) {
                Matcher inlined = INLINED.matcher(loc.group(3));
                Matcher place = inlined.find() ? inlined : loc;
                // What was inlined into something inlined follows the place in the kernel that it belongs to.
                places.computeIfAbsent(Integer.valueOf(place.group(1)), _ -> new TreeMap<>())
                        .put(i + 1, place == loc ? Integer.valueOf(place.group(2)) : -Integer.parseInt(place.group(2)));
            }
        }
        String own = program.file().getFileName().toString();
        int chosen = places.keySet().stream().max((a, b) -> {
            boolean ofA = isOwn(names.getOrDefault(a, ""), own);
            boolean ofB = isOwn(names.getOrDefault(b, ""), own);
            return ofA != ofB ? Boolean.compare(ofA, ofB) : Integer.compare(places.get(a).size(), places.get(b).size());
        }).orElse(-1);
        String name = names.getOrDefault(chosen, "");
        // A .loc holds for all lines up to the next one, of whatever file.
        TreeMap<Integer, Integer> all = new TreeMap<>();
        places.forEach((file, lines) -> lines.forEach((line, source) -> {
            if (file == chosen || source > 0) {
                all.put(line, file == chosen ? Math.abs(source) : 0);
            }
        }));
        return new SourceMap(name, own.endsWith(".cu") ? read(program.file()) : read(path(name)), all);
    }

    /** The program itself, or where it is PTX what that was compiled from. */
    private static boolean isOwn(String name, String program) {
        return name.endsWith(program) || program.endsWith(".ptx") && name.endsWith(".cu");
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
            // The source is a help to the reader; the report is about the PTX.
            return List.of();
        }
    }

    /** The line of the source that a line of PTX is of; 0 for none. */
    int source(int ptxLine) {
        Map.Entry<Integer, Integer> place = lines.floorEntry(ptxLine);
        return place == null || place.getValue() > text.size() ? 0 : place.getValue();
    }
}
