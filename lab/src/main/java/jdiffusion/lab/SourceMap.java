package jdiffusion.lab;

import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import jdiffusion.lab.PtxPlaces.Place;

/**
 * Which lines of one source file PTX lines are of, for who goes from line to line of it: of what was inlined it is the
 * place that it was inlined at.
 *
 * @param text of the source file; empty where it is not there
 * @param lines of the source, from 1, by lines of PTX
 */
record SourceMap(List<String> text, TreeMap<Integer, Integer> lines) {

    /** Of the program's own file, or of the one with most lines. */
    static SourceMap of(LabProgram program) {
        LineInfo info = new LineInfo(program.file(), program.ptx());
        Map<String, Integer> sizes = new HashMap<>();
        for (Map.Entry<Integer, List<Place>> at : info.all()) {
            List<Place> places = at.getValue();
            sizes.merge(places.get(places.size() > 1 ? 1 : 0).file(), 1, Integer::sum);
        }
        String chosen = sizes.keySet().stream().max(Comparator.comparing(info::isOwn).thenComparing(sizes::get))
                .orElse("");
        // A place holds for all lines up to the next one, of whatever file.
        TreeMap<Integer, Integer> all = new TreeMap<>();
        info.all().forEach(at -> {
            List<Place> places = at.getValue();
            if (places.size() == 1) {
                all.put(at.getKey(), places.getFirst().file().equals(chosen) ? places.getFirst().line() : 0);
            } else {
                // What was inlined from elsewhere into something from elsewhere follows what is before it.
                places.stream().skip(1).filter(place -> place.file().equals(chosen)).findFirst().ifPresent(place ->
                        all.put(at.getKey(), place.line()));
            }
        });
        return new SourceMap(info.text(chosen), all);
    }

    /** The line of the source that a line of PTX is of; 0 for none. */
    int source(int ptxLine) {
        Map.Entry<Integer, Integer> place = lines.floorEntry(ptxLine);
        return place == null || place.getValue() > text.size() ? 0 : place.getValue();
    }
}
