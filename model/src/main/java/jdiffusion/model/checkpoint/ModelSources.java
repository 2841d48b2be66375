package jdiffusion.model.checkpoint;

import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import jdiffusion.model.tokenizer.places.UserPlaces;

/**
 * What the user says about a model beside its path.
 *
 * @param files     components that are taken from files of their own, whatever the model itself holds
 * @param leftOut   text encoders to do without
 * @param tokenizer folder of tokenizer files; null for the usual places
 * @param variant   name of the published model, where shapes leave it open; null for what shapes and name say
 * @param elsewhere the user's places outside any model where tokenizers may lie
 */
public record ModelSources(Map<Component, Path> files, Set<Component> leftOut, Path tokenizer, String variant,
                           UserPlaces elsewhere) {
    /** Nothing. */
    public static final ModelSources NONE = new ModelSources(Map.of(), Set.of(), null, null);

    public ModelSources {
        files = files.isEmpty() ? Map.of() : Map.copyOf(new EnumMap<>(files));
        leftOut = Set.copyOf(leftOut);
    }

    /** The same with no place outside the model. */
    public ModelSources(Map<Component, Path> files, Set<Component> leftOut, Path tokenizer, String variant) {
        this(files, leftOut, tokenizer, variant, UserPlaces.NONE);
    }

    /** Whether nothing is said of the model itself. */
    boolean isNothing() {
        return files.isEmpty() && leftOut.isEmpty() && tokenizer == null && variant == null;
    }
}
