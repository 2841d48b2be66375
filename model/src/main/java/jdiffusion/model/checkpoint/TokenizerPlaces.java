package jdiffusion.model.checkpoint;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.model.checkpoint.names.ClipNames;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.model.tokenizer.places.Looked;
import jdiffusion.model.tokenizer.places.Need;
import jdiffusion.model.tokenizer.places.Place;
import jdiffusion.model.tokenizer.places.TokenizerSearch;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;

/**
 * The tokenizers of a model that has none in itself. Both CLIP encoders have the same vocabulary, so one set of files
 * serves both; they pad differently, whatever the files say. Each is looked for and read when it is first asked for.
 */
final class TokenizerPlaces {
    private static final List<String> T5_TABLES = List.of("shared.weight", "encoder.embed_tokens.weight");

    private final TokenizerSearch search;
    private final ModelFiles model;
    private final Map<Component, List<Looked>> found = new EnumMap<>(Component.class);

    /**
     * @param places in the order in which they are looked into
     * @param model  has the encoders, with whose tables vocabularies have to agree
     */
    TokenizerPlaces(List<Place> places, ModelFiles model) {
        search = new TokenizerSearch(places);
        this.model = model;
    }

    private Need need(Component component) {
        return new Need(component.label(), model.architecture().tokenizerFolder(component),
                model.architecture().tokenizerKind(component),
                component == Component.CLIP_L, rows(component));
    }

    /** Rows of an encoder's table of tokens; 0 when it has none, or is not there itself. */
    private int rows(Component component) {
        if (!model.has(component)) {
            return 0;
        }
        try (ModelFiles.Open open = model.open(component)) {
            for (String name : component == Component.T5 ? T5_TABLES : List.of(ClipNames.TOKENS)) {
                Shape table = open.tensors().shape(name);
                if (table != null && table.rank() == 2) {
                    return table.rows();
                }
            }
            return 0;
        }
    }

    private synchronized List<Looked> looked(Component component) {
        List<Looked> looked = found.get(component);
        if (looked == null) {
            looked = search.find(need(component));
            found.put(component, looked);
        }
        return looked;
    }

    /** The vocabulary for an encoder; null when there is none. */
    Looked find(Component component) {
        List<Looked> looked = looked(component);
        return !looked.isEmpty() && looked.getLast().fits() ? looked.getLast() : null;
    }

    /** @throws InputException when there is no such vocabulary in any of the places */
    Tokenizer load(Component component) {
        Looked found = find(component);
        if (found == null) {
            throw new InputException(search.missing(need(component), looked(component)));
        }
        return found.tokenizer();
    }

    /** All vocabularies for an encoder, in all places, with what is wrong with each. */
    List<Looked> all(Component component) {
        return search.all(need(component));
    }

    /** What was chosen of places that belong to other models too, and what was left aside before it. */
    List<String> notes(List<Component> encoders) {
        Map<String, String> chosen = new LinkedHashMap<>();
        for (Component component : encoders) {
            note(component, chosen);
        }
        List<String> notes = new ArrayList<>();
        chosen.forEach((where, labels) -> notes.add("the tokenizer of " + labels + " is read from " + where
                + " (jdiffusion tokenizers lists all)"));
        return notes;
    }

    private void note(Component component, Map<String, String> chosen) {
        try {
            List<Looked> looked = looked(component);
            Looked last = find(component);
            if (last != null && (last.foreign() || looked.size() > 1)) {
                chosen.merge(last.path() + ", found " + last.place() + (looked.size() == 1 ? ""
                        : "; left aside: " + looked.getFirst().fault()), component.label(),
                        (first, second) -> first + " and " + second);
            }
        } catch (InputException e) {
            // Who asks for this tokenizer, or for the encoder that cannot be opened, is told.
            return;
        }
    }
}
