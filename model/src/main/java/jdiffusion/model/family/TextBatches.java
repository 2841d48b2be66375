package jdiffusion.model.family;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.BiFunction;

/**
 * The texts of some requests as one encoder reads them. Those of a single request are read together, as they are. Of
 * several requests each text is read once, two at a time, which takes no more memory than a request with guidance; but
 * texts with weights are read with all of their request.
 *
 * @param pieces what is read at a time
 * @param places for each request the places of its texts; null where it has none
 */
record TextBatches(List<Texts> pieces, List<List<Place>> places) {
    private static final int AT_A_TIME = 2;

    /** One text of a piece; or a whole piece, whose row is negative. */
    record Place(int piece, int row) {
        static final int WHOLE = -1;
    }

    /** @param requests null for one that has no text for the encoder */
    static TextBatches of(List<Texts> requests) {
        boolean one = requests.stream().filter(Objects::nonNull).count() == 1;
        List<Texts> pieces = new ArrayList<>();
        List<List<Place>> places = new ArrayList<>();
        Map<Texts, Place> known = new HashMap<>();
        for (Texts texts : requests) {
            if (texts == null) {
                places.add(null);
            } else if (one || texts.weights() != PromptWeights.NONE) {
                places.add(List.of(new Place(pieces.size(), Place.WHOLE)));
                pieces.add(texts);
            } else {
                List<Place> own = new ArrayList<>();
                for (int i = 0; i < texts.prompts().size(); i++) {
                    own.add(known.computeIfAbsent(texts.only(i), text -> add(pieces, text)));
                }
                places.add(own);
            }
        }
        return new TextBatches(pieces, places);
    }

    /** Puts a text to the last one, where there is room and that is alike, or begins a piece with it. */
    private static Place add(List<Texts> pieces, Texts text) {
        Texts last = pieces.isEmpty() ? null : pieces.getLast();
        int row = last == null ? AT_A_TIME : last.prompts().size();
        if (row >= AT_A_TIME || last.length() != text.length() || last.weights() != text.weights()) {
            pieces.add(text);
            return new Place(pieces.size() - 1, 0);
        }
        pieces.set(pieces.size() - 1, last.and(text));
        return new Place(pieces.size() - 1, row);
    }

    /**
     * Of each request what the encoder gave.
     *
     * @param outputs of all pieces
     * @param rows    of some outputs one row each
     */
    <T> List<T> joined(List<T> outputs, BiFunction<List<T>, int[], T> rows) {
        List<T> all = new ArrayList<>();
        for (List<Place> own : places) {
            if (own == null) {
                all.add(null);
            } else if (own.getFirst().row == Place.WHOLE) {
                all.add(outputs.get(own.getFirst().piece));
            } else {
                all.add(rows.apply(own.stream().map(place -> outputs.get(place.piece)).toList(),
                        own.stream().mapToInt(Place::row).toArray()));
            }
        }
        return all;
    }
}
