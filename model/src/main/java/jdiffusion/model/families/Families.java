package jdiffusion.model.families;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jdiffusion.model.auraflow.AuraFlow;
import jdiffusion.model.checkpoint.Architecture;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.checkpoint.Models;
import jdiffusion.model.family.Family;
import jdiffusion.model.family.Variant;
import jdiffusion.model.flux.Flux;
import jdiffusion.model.pixart.Pixart;
import jdiffusion.model.sd3.Sd3;
import jdiffusion.model.sdxl.Sdxl;
import jdiffusion.model.synthetic.SyntheticKind;
import jdiffusion.tensor.InputException;

/** The families that this program knows: a new one is a package and a line here. */
public final class Families {
    /** Where files could be of several, the first is meant. */
    public static final List<Family> ALL = List.of(new Sd3(), new Sdxl(), new AuraFlow(), new Flux(), new Pixart());

    private static final Models MODELS = new Models(ALL);

    private Families() {
    }

    /** Finds out what files are. */
    public static Models models() {
        return MODELS;
    }

    /** Opens a model of any family and layout: see {@link Models#open}. */
    public static ModelFiles open(Path model, ModelSources extra) {
        return MODELS.open(model, extra);
    }

    /** Whose files these are. */
    public static Family of(ModelFiles files) {
        return of(files.architecture());
    }

    /** The family with that architecture: models are opened with the list of families, so it is one itself. */
    public static Family of(Architecture architecture) {
        if (architecture instanceof Family family) {
            return family;
        }
        throw new IllegalArgumentException("files of " + architecture.label() + " are known, but no family that draws");
    }

    /** The names of all published models that are told apart, as {@code --variant} takes them. */
    public static Stream<String> variants() {
        return ALL.stream().flatMap(family -> family.variants().stream()).map(Variant::name);
    }

    /** A name of one of them as it is written there; fails when there is none. */
    public static String variant(String name) {
        String wanted = name.toLowerCase(Locale.ROOT);
        if (variants().noneMatch(wanted::equals)) {
            throw new InputException("the variant '" + name + "' is unknown; use one of "
                    + variants().collect(Collectors.joining(", ")));
        }
        return wanted;
    }

    /** The names of all models that can be made of random numbers. */
    public static Stream<String> synthetic() {
        return kinds().map(SyntheticKind::label);
    }

    private static Stream<? extends SyntheticKind> kinds() {
        return ALL.stream().flatMap(family -> family.synthetic().stream());
    }

    /** The one of that name, with or without the dots in it. */
    public static SyntheticKind synthetic(String label) {
        String wanted = label.toLowerCase(Locale.ROOT).replace(".", "");
        return kinds().filter(kind -> kind.label().replace(".", "").equals(wanted)).findFirst().orElseThrow(() ->
                new InputException("'" + InputException.shown(label) + "' is no family; use "
                        + synthetic().collect(Collectors.joining(", "))));
    }
}
