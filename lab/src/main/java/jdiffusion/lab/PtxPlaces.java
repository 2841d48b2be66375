package jdiffusion.lab;

import java.util.List;

/** Where the lines of a PTX text come from. */
public interface PtxPlaces {
    /**
     * A line of a source.
     *
     * @param line from 1
     */
    record Place(String file, int line) {
    }

    /**
     * The place that a line of PTX is of, then the one where that was inlined, and so on out to the kernel; empty where
     * it is not known.
     *
     * @param ptxLine from 1
     */
    List<Place> at(int ptxLine);

    /** The lines of a file that a place names; empty where it is not there, or not worth showing. */
    List<String> text(String file);
}
