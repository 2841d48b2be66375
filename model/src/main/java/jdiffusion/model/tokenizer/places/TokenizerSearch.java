package jdiffusion.model.tokenizer.places;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.model.tokenizer.TokenizerKind;
import jdiffusion.model.tokenizer.VocabularyFile;
import jdiffusion.tensor.InputException;

/**
 * Looks for the tokenizers of a model's text encoders, place after place, and takes the first that fits. Places behind
 * it are not looked into.
 */
public final class TokenizerSearch {
    /** Vocabularies read for one encoder in places that belong to others. */
    private static final int MOST_READ = 64;
    private static final int MOST_SHOWN = 3;

    private final List<Place> places;
    private final List<Tokenizer> loaded = new ArrayList<>();

    public TokenizerSearch(List<Place> places) {
        this.places = List.copyOf(places);
    }

    /**
     * The vocabularies up to the first that fits, which is the last of the list; none fits when it does not.
     *
     * @throws InputException when the user named a place and none of those in it fits
     */
    public List<Looked> find(Need need) {
        List<Looked> looked = new ArrayList<>();
        for (Place place : places) {
            int before = looked.size();
            if (look(place, need, true, looked)) {
                return looked;
            }
            if (place.chosen() && looked.size() > before) {
                throw new InputException("no tokenizer for " + need.label() + " " + place.label() + " "
                        + place.looked() + ": " + faults(looked));
            }
        }
        return looked;
    }

    /** All vocabularies of the kind in all places, fitting or not. */
    public List<Looked> all(Need need) {
        List<Looked> looked = new ArrayList<>();
        places.forEach(place -> look(place, need, false, looked));
        return looked;
    }

    /** Adds what a place has; returns whether it was left because something fits. */
    private boolean look(Place place, Need need, boolean firstOnly, List<Looked> looked) {
        Set<Path> seen = new HashSet<>();
        int left = place.foreign() ? MOST_READ : Integer.MAX_VALUE;
        Iterator<VocabularyFile> files = place.vocabularies(need).iterator();
        while (left > 0 && files.hasNext()) {
            VocabularyFile file = files.next();
            if (!file.mayBe(need.kind()) || !seen.add(real(file.files().getFirst()))) {
                continue;
            }
            Looked one = look(place, file, need);
            if (one != null) {
                left--;
                looked.add(one);
                if (firstOnly && one.fits()) {
                    loaded.add(one.tokenizer());
                    return true;
                }
            }
        }
        return false;
    }

    /** Null for a vocabulary of another known kind. */
    private Looked look(Place place, VocabularyFile file, Need need) {
        TokenizerKind kind = null;
        Tokenizer tokenizer = null;
        String fault;
        try {
            kind = file.kind();
            if (kind != need.kind()) {
                return null;
            }
            tokenizer = file.read(need.padsWithEnd(), need.rows() == 0 ? Integer.MAX_VALUE : need.rows(), loaded);
            fault = need.misfit(tokenizer.size());
            if (fault.isEmpty() && place.foreign() && kind.isPublished(need.rows()) && !kind.isPublished(tokenizer)) {
                fault = "its vocabulary is as large as that of published encoders, but it is another one";
            }
            fault = fault.isEmpty() ? "" : file.files().getFirst() + ": " + fault;
        } catch (InputException e) {
            fault = e.getMessage();
        }
        return new Looked(place.label(), place.foreign(), file, kind, tokenizer, fault);
    }

    /** The same file may be reached by several names, as in a cache of links. */
    private static Path real(Path file) {
        try {
            return file.toRealPath();
        } catch (IOException e) {
            return file;
        }
    }

    /** What to say when nothing fits, with what to do. */
    public String missing(Need need, List<Looked> looked) {
        TokenizerKind kind = need.kind();
        return "no tokenizer for " + need.label() + ": " + kind.files() + " was looked for " + places.stream()
                .map(place -> place.label() + " (" + place.looked() + ")").collect(Collectors.joining(", "))
                + ", and in folders there named " + need.names().stream().filter(name -> !name.isEmpty())
                        .collect(Collectors.joining(", "))
                + (looked.isEmpty() ? "" : "; left aside: " + faults(looked)) + "; put " + wanted(need)
                + " beside the model, or give their folder with --tokenizer";
    }

    private static String wanted(Need need) {
        if (need.rows() != 0 && !need.kind().isPublished(need.rows())) {
            return "the files of this model's own tokenizer, of " + need.rows() + " tokens or a little less,";
        }
        Set<TokenizerKind> kinds = need.kind() == TokenizerKind.LLAMA ? EnumSet.of(need.kind())
                : EnumSet.of(TokenizerKind.CLIP, TokenizerKind.T5);
        return "the small files that serve all published models, " + kinds.stream().map(kind -> kind.publishedFiles()
                + " of https://huggingface.co/" + kind.repository()).collect(Collectors.joining(", and "))
                + " (docs/tokenizers.md has the commands),";
    }

    private static String faults(List<Looked> looked) {
        return looked.stream().map(Looked::fault).limit(MOST_SHOWN).collect(Collectors.joining("; "))
                + (looked.size() > MOST_SHOWN ? "; and " + (looked.size() - MOST_SHOWN) + " more" : "");
    }
}
